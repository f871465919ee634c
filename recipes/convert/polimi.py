"""Convert the plays of a streaming service, polimi-tv-2022 (RecSys Challenge 2022 of Politecnico
di Milano), from scipy matrices to Parquet.

    python recipes/convert/polimi.py data/polimi-tv-2022 data/polimi-tv                # 2 s
    marquee data add polimi-tv-2022 --interactions data/polimi-tv/train.parquet \\
        --valid-interactions data/polimi-tv/valid.parquet \\
        --test-interactions data/polimi-tv/test.parquet --user user --item item \\
        --strength strength --items data/polimi-tv/items.parquet \\
        --feature type=type:category --feature length=length:number

SOURCE holds FinalURM_train0, _val0 and _test.npz (users by items; 1 opened the page of a title,
1.25 watched it, 1.4 both) and data_ICM_type and _length.csv. train and valid together are the
training part of the published figures. TARGET is a folder.
"""

import sys
from pathlib import Path

import pandas as pd
import scipy.sparse

PARTS = {"train": "train0", "valid": "val0", "test": "test"}


def convert(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for part, name in PARTS.items():
        matrix = scipy.sparse.load_npz(source / f"FinalURM_{name}.npz").tocoo()
        plays = pd.DataFrame({"user": matrix.row, "item": matrix.col, "strength": matrix.data})
        plays.to_parquet(target / f"{part}.parquet", index=False)
    kinds = pd.read_csv(source / "data_ICM_type.csv").set_index("item_id")["feature_id"]
    lengths = pd.read_csv(source / "data_ICM_length.csv").set_index("item_id")["data"]
    num_items = max(matrix.shape[1], kinds.index.max() + 1, lengths.index.max() + 1)
    items = pd.DataFrame({"item": range(num_items)}).set_index("item")
    items["type"] = kinds.map("type {}".format)  # a title without a type stays without
    items["length"] = lengths
    items.reset_index().to_parquet(target / "items.parquet", index=False)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
