"""The models of a finished run on the test part: exported bundles, or checkpoints.

A network that encodes histories is measured as it is served, through its bundles. The classic one,
with a table of users, has no bundle and is measured from its checkpoints.
"""

import copy
from pathlib import Path

from datamodules.datamodule import InteractionDataModule
from datamodules.splits import Refit
from marquee.evaluation.protocols import PROTOCOLS
from marquee.evaluation.ranker import Scorer
from marquee.recommender.recommender import Recommender
from marquee.training import checkpoints, evaluate, evaluate_ratings
from marquee.training.config import RunConfig
from marquee.training.run_bundles import is_served, seed_bundle, verified_bundles, verify_bundle
from marquee.training.run_folder import BEST, LAST, SELECT, RunFolder
from marquee.training.selection import SelectionResult
from models.lightning_module import RankingModule


def evaluate_models(
    config: RunConfig,
    run: RunFolder,
    data: InteractionDataModule,
    model: RankingModule,
    selection: SelectionResult,
    *,
    device: str,
) -> dict[str, float]:
    """Evaluate every seed's model, and the one as selected.

    Writes results and test rows. model: takes the weights of the classic user's checkpoints.
    Returns every metric by a flat name: test/next/ndcg@10, baseline/ease/…. Raises InputError if
    a bundle is not of this run.
    """
    if PROTOCOLS[config.data.protocol].targets == "ratings":
        bundles, unrefitted_bundle = bundles_of_seeds(config, run, data, selection)
        return evaluate_ratings.evaluate_on_test(
            data,
            selection,
            {seed: Recommender.load(folder) for seed, folder in bundles.items()},
            Recommender.load(unrefitted_bundle),
            name=config.name,
            results=Path(config.results),
            rows=config.runs_folder,
            device=device,
        )
    if is_served(config):
        bundles, unrefitted_bundle = bundles_of_seeds(config, run, data, selection)
        scorers = {seed: evaluate.bundle_scorer(folder) for seed, folder in bundles.items()}
        unrefitted = evaluate.bundle_scorer(unrefitted_bundle)
    else:
        scorers = {
            seed: checkpoint_scorer(model, trained_checkpoint(run, "validation", seed))
            for seed in config.seeds
        }
        unrefitted = checkpoint_scorer(model, trained_checkpoint(run, "none", config.seeds[0]))
    return evaluate.evaluate_on_test(
        data,
        selection,
        scorers,
        unrefitted,
        name=config.name,
        protocols=config.protocols,
        results=Path(config.results),
        rows=config.runs_folder,
        device=device,
    )


def bundles_of_seeds(
    config: RunConfig, run: RunFolder, data: InteractionDataModule, selection: SelectionResult
) -> tuple[dict[int, Path], Path]:
    """Return the verified bundle of each seed, and of the model as selected."""
    bundles = {
        seed: verify_bundle(
            seed_bundle(config, run, seed),
            config=config,
            data=data,
            selection=selection,
            refit="validation",
            seed=seed,
        )
        for seed in config.seeds
    }
    return bundles, verified_bundles(config, run, data, selection).unrefitted


def trained_checkpoint(run: RunFolder, refit: Refit, seed: int) -> str:
    """Return the checkpoint of a finished training: as selected, or of a seed's refit."""
    if refit == "none":
        return run.checkpoint(SELECT, BEST)
    return run.checkpoint(f"refit-{seed}", LAST)


def checkpoint_scorer(model: RankingModule, checkpoint: str) -> Scorer:
    """Return a scorer of the classic user, with a copy of a checkpoint's weights."""
    checkpoints.load_weights(model, checkpoint)
    return evaluate.table_scorer(copy.deepcopy(model.network))
