"""Convert a data set of S3-Rec (Beauty, Sports_and_Outdoors, Toys_and_Games) to CSV.

    python recipes/convert/s3rec.py data/s3rec/Beauty data/s3rec-csv/beauty          # 1 s
    marquee data add beauty --interactions data/s3rec-csv/beauty/plays.csv \\
        --user user --item item --ordered --items data/s3rec-csv/beauty/items.csv \\
        --feature "attributes=attributes:categories:|"

SOURCE is the path up to .txt and _item2attributes.json, as RUCAIBox/CIKM2020-S3Rec has them: a line
a user, the user first, then items from the oldest to the newest; there are no times. TARGET is a
folder. Cite Zhou et al., S3-Rec, CIKM 2020.
"""

import csv
import json
import sys
from pathlib import Path


def convert(source: str, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with Path(f"{source}.txt").open() as lines, (target / "plays.csv").open("w") as file:
        plays = csv.writer(file)
        plays.writerow(["user", "item"])
        for line in lines:
            user, *items = line.split()
            plays.writerows((user, item) for item in items)
    attributes = json.loads(Path(f"{source}_item2attributes.json").read_text())
    with (target / "items.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["item", "attributes"])
        rows.writerows((item, "|".join(map(str, ids))) for item, ids in attributes.items())


if __name__ == "__main__":
    convert(sys.argv[1], Path(sys.argv[2]))
