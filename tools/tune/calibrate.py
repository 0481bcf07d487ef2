"""Fits the calibration of the embedded model to what `ask.py` wrote; other texts judge it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from domain.extraction.confidence import FEATURES, features_of
from domain.extraction.prompting import TUNED_PROMPT

FOLDS = 5
BINS = 10
DRAWS = 2_000
FEWEST_OF_A_TYPE = 30
REVIEWED = (0.05, 0.10, 0.20)
CHOSEN = "what is shipped"

Array = NDArray[np.float64]
Way = Callable[[Sequence[dict[str, Any]], Sequence[dict[str, Any]]], Array]
"""Fitted to the first values, the probabilities of the second."""


def main() -> None:
    """Print figures of several ways to fit, and write the calibration."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", type=Path, required=True, help="values to fit to, from ask.py")
    parser.add_argument("--judge", type=Path, required=True, help="values of other texts")
    parser.add_argument("--others", type=Path, help="values of texts of other records")
    parser.add_argument("--adapter", type=Path, required=True, help="that was asked")
    parser.add_argument("--model", default="smollm2-135m", help="the name that it is asked by")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    fit, judged = _read(options.fit), _read(options.judge)
    common = {each["text"] for each in fit} & {each["text"] for each in judged}
    if common:
        parser.error(f"{len(common)} texts are in both files, such as {min(common)}")
    if len(set(_right(fit))) < 2:
        parser.error(
            f"the values of {options.fit} are all right or all wrong: nothing can be fitted"
        )
    print(f"fit to {_size(fit)}, judged on {_size(judged)}\n")
    print(f"{'':28}cross-validated{'':14}on other texts")
    for name, way in WAYS.items():
        crossed = np.zeros(len(fit))
        groups = [each["wording"] for each in fit]
        for train, test in GroupKFold(FOLDS).split(fit, groups=groups):
            crossed[test] = way([fit[i] for i in train], [fit[i] for i in test])
        print(f"{name:28}{_figures(crossed, fit)}   {_figures(way(fit, judged), judged)}")
    found = way_of(FEATURES)(fit, judged)
    print()
    for line in _reviews(found, judged):
        print(line)
    if options.others is not None:
        _print_others(fit, _read(options.others))
    model = _model(fit, FEATURES)
    options.out.write_text(
        json.dumps(
            {
                "model": options.model,
                "prompt": TUNED_PROMPT,
                "types": _types(fit),
                "intercept": round(float(model.intercept_[0]), 5),
                "coefficients": {
                    name: round(float(weight), 5)
                    for name, weight in zip(FEATURES, model.coef_[0], strict=True)
                },
                "adapter_sha256": sha256(options.adapter.read_bytes()).hexdigest(),
                "made": f"{datetime.now(UTC):%Y-%m-%d}",
                "fitted_to": {"texts": _texts(fit), "values": len(fit)},
                "judged_on": {
                    "texts": _texts(judged),
                    "values": len(judged),
                    "right": round(float(_right(judged).mean()), 4),
                    "brier": round(float(_brier(found, _right(judged))), 4),
                    "calibration_error": round(float(_error(found, _right(judged))), 4),
                },
            },
            indent=2,
        )
        + "\n"
    )


def _print_others(fit: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> None:
    """How the chosen way does on other records, of types that it was fitted to and of others."""
    known = set(_types(fit))
    for name, part in (
        ("types fitted to", [each for each in others if each["type"] in known]),
        ("other types", [each for each in others if each["type"] not in known]),
    ):
        if not part:
            continue
        print(f"\nother records, {name}: {_size(part)}")
        for way in ("the share that is right", CHOSEN):
            print(f"{way:28}{_figures(WAYS[way](fit, part), part)}")


def way_of(names: Sequence[str]) -> Way:
    """Logistic regression over some features."""

    def probabilities(fit: Sequence[dict[str, Any]], of: Sequence[dict[str, Any]]) -> Array:
        found: Array = _model(fit, names).predict_proba(_matrix(of, names))[:, 1]
        return found

    return probabilities


def _constant(fit: Sequence[dict[str, Any]], of: Sequence[dict[str, Any]]) -> Array:
    return np.full(len(of), _right(fit).mean())


def _as_told(fit: Sequence[dict[str, Any]], of: Sequence[dict[str, Any]]) -> Array:  # noqa: ARG001
    return np.exp([sum(each["log_probabilities"]) for each in of])


def _isotonic(fit: Sequence[dict[str, Any]], of: Sequence[dict[str, Any]]) -> Array:
    model = IsotonicRegression(out_of_bounds="clip")
    model.fit(_matrix(fit, ["least"])[:, 0], _right(fit))
    found: Array = model.predict(_matrix(of, ["least"])[:, 0])
    return found


WAYS: dict[str, Way] = {
    "the share that is right": _constant,
    "the model's own probability": _as_told,
    "all tokens together": way_of(["joint"]),
    "the least likely token": way_of(["least"]),
    "the same, isotonic": _isotonic,
    CHOSEN: way_of(FEATURES),
    "and all tokens together": way_of([*FEATURES, "joint"]),
    "and regular expressions": way_of([*FEATURES, "regex"]),
}


def _read(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for each in found:
        told, silent, dropped = each["log_probabilities"], each["silent"], each["dropped"]
        each["features"] = {
            **features_of(told, silent=silent, dropped=dropped),
            "joint": features_of([sum(told)], silent=silent, dropped=dropped)["least"],
            "regex": float(each["regex"]),
        }
    return found


def _model(fit: Sequence[dict[str, Any]], names: Sequence[str]) -> LogisticRegression:
    return LogisticRegression(C=1.0, max_iter=1_000).fit(_matrix(fit, names), _right(fit))


def _matrix(values: Sequence[dict[str, Any]], names: Sequence[str]) -> Array:
    return np.array([[each["features"][name] for name in names] for each in values])


def _right(values: Sequence[dict[str, Any]]) -> Array:
    return np.array([float(each["right"]) for each in values])


def _types(values: Sequence[dict[str, Any]]) -> list[str]:
    types = [each["type"] for each in values]
    return sorted(each for each in set(types) if types.count(each) >= FEWEST_OF_A_TYPE)


def _texts(values: Sequence[dict[str, Any]]) -> int:
    return len({each["text"] for each in values})


def _size(values: Sequence[dict[str, Any]]) -> str:
    return f"{len(values)} values of {_texts(values)} texts, {_right(values).mean():.1%} right"


def _brier(found: Array, right: Array) -> float:
    return float(np.mean((found - right) ** 2))


def _error(found: Array, right: Array) -> float:
    """Expected calibration error, ten bins of the same width."""
    bins = np.minimum((found * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, found - right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(found))


def _figures(found: Array, values: Sequence[dict[str, Any]]) -> str:
    """Brier score with the bootstrap's 95 % interval over wordings, and calibration error."""
    right = _right(values)
    wordings = np.unique([each["wording"] for each in values], return_inverse=True)[1]
    sums = np.bincount(wordings, (found - right) ** 2)
    sizes = np.bincount(wordings)
    drawn = np.random.default_rng(0).integers(len(sums), size=(DRAWS, len(sums)))
    low, high = np.quantile(sums[drawn].sum(1) / sizes[drawn].sum(1), (0.025, 0.975))
    return (
        f"Brier {_brier(found, right):.3f} ({low:.3f}-{high:.3f}), ECE {_error(found, right):.3f}"
    )


def _reviews(found: Array, values: Sequence[dict[str, Any]]) -> list[str]:
    wrong = 1 - _right(values)
    order = np.argsort(found, kind="stable")
    lines = []
    for share in REVIEWED:
        checked = int(share * len(found))
        caught = int(wrong[order[:checked]].sum())
        lines.append(
            f"the lowest {share:.0%} ({checked}) hold {caught} of {int(wrong.sum())} errors"
            f" ({caught / max(1, wrong.sum()):.0%})"
        )
    return lines


if __name__ == "__main__":
    main()
