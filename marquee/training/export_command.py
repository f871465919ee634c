"""Export a bundle: of a checkpoint, or trained on all ratings for the selected epochs.

    marquee export --config recipes/ml-1m.yaml --refit all --out bundles/production
    marquee export --config recipes/ml-1m.yaml --refit none --out DIR --ckpt_path PATH

| --refit | the network |
|---|---|
| none | as selected, or the one of --ckpt_path |
| validation | the first seed's refit on train + validation, or the one of --ckpt_path |
| all | trained again, on all ratings; its manifest names the measured bundle as its sibling |
"""

from pathlib import Path

from marquee.core.command import say
from marquee.core.errors import InputError
from marquee.recommender.bundle import read_bundle
from marquee.training import checkpoints, pipeline
from marquee.training.config import RunConfig, read_config
from marquee.training.run_bundles import check_before_training
from marquee.training.run_evaluation import trained_checkpoint
from marquee.training.run_folder import open_run
from marquee.training.selection import SelectionResult
from marquee.training.studies.study_command import run_study


def main(args: list[str]) -> int:
    """Run `marquee export` and return its exit status."""
    return run_study("export", lambda settings: export(read_config(settings)), args)


def export(config: RunConfig) -> None:
    """Write the bundle of a finished run to --out.

    Raises InputError without --out, for the bundle that results are measured on, and for a network
    that cannot be served.
    """
    run = open_run(config, new=False)
    if config.out is None:
        raise InputError("--out: not set, expected the folder of the bundle; add --out FOLDER")
    folder = Path(config.out)
    if folder.resolve() == config.bundle_folder.resolve():
        raise InputError(
            f"{folder}: the bundle that results are measured on, expected another folder; change "
            "--out"
        )
    selection = SelectionResult.load(run.path)
    if config.refit == "all":
        data, model, trainer = pipeline.prepare(
            config, run, phase="refit-all", refit="all", epochs=selection.epochs
        )
        check_before_training(config, data, folder)
        read_bundle(config.bundle_folder)  # its sibling
        pipeline.train(config, data, model, trainer)
    else:
        data, model, trainer = pipeline.prepare(config, run, phase="export", refit=config.refit)
        check_before_training(config, data, folder)
        checkpoint = trained_checkpoint(run, config.refit, config.seeds[0])
        checkpoints.load_weights(model, config.ckpt_path or checkpoint)
    say(f"bundle: {pipeline.export(config, data, model, trainer, selection, folder)}")
