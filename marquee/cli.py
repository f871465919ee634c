"""`marquee VERB`: every command but training, which is `python train.py`.

Each verb is a module with `main(args) -> int`; only the module that is asked for is imported.
"""

import importlib
import sys

from marquee.core.command import INPUT_ERROR, fail, say

VERBS = {
    "ablate": ("marquee.training.studies.ablation", "train a recipe without each of its parts"),
    "batch": ("marquee.batch.ray_job", "lists for all users of an event store"),
    "catalog": ("marquee.online.catalog_load.command", "load a whole catalog into a service"),
    "compare": ("marquee.training.compare.command", "compare finished runs"),
    "controls": ("marquee.training.studies.rerank_tradeoff", "measure what re-ranking costs"),
    "data": ("marquee.data.data_command", "data sets of your own: add, show, list"),
    "events": ("marquee.feedback.migrate_command", "update the tables of an event store"),
    "export": ("marquee.training.pipeline", "write a bundle of a finished run"),
    "findings": ("marquee.insights.findings_command", "findings of a data set as a report"),
    "import-ratings": ("marquee.online.import_ratings", "a data set's ratings into an event store"),
    "influence": ("marquee.training.studies.user_influence", "train without the heaviest raters"),
    "rate-next": ("marquee.training.studies.elicitation", "measure preference elicitation"),
    "register": ("marquee.training.comet", "put a bundle into Comet's model registry"),
    "releases": ("marquee.promotion.releases_command", "push, promote and roll back releases"),
    "serve": ("marquee.api.process.serve_command", "serve a bundle over HTTP"),
    "simulate": ("marquee.training.studies.simulation", "train on users whose taste is known"),
    "tune": ("marquee.training.studies.hyperparameter_search", "search for a recipe's settings"),
}


def main(args: list[str] | None = None) -> int:
    """Run one verb; 2 for an unknown one, or one whose packages are not installed."""
    verb, *verb_args = (sys.argv[1:] if args is None else args) or ["--help"]
    if verb in ("-h", "--help"):
        say(usage())
        return 0
    if verb not in VERBS:
        return fail("marquee", f"verb {verb!r}: expected one of {', '.join(VERBS)}", INPUT_ERROR)
    try:
        module = importlib.import_module(VERBS[verb][0])
    except ModuleNotFoundError as error:
        message = f"{error}; expected a clone with the extra `train`: make setup"
        return fail(f"marquee {verb}", message, INPUT_ERROR)
    status: int = module.main(verb_args)
    return status


def usage() -> str:
    """Return the help text: a line for each verb."""
    lines = [f"  {verb:16}{summary}" for verb, (_, summary) in VERBS.items()]
    return "\n".join(["usage: marquee VERB …  (marquee VERB --help)", "", *lines])


if __name__ == "__main__":
    sys.exit(main())
