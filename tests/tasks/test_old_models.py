"""Model folders of earlier formats still predict what they predicted then."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import foretell as ft

FOLDER = Path(__file__).parents[1] / "old_models"


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.iterdir()))
def test_an_old_model_folder_predicts_as_it_did(name: str) -> None:
    rows = pl.read_csv(FOLDER / name / "rows.csv")
    then = pl.read_csv(FOLDER / name / "forecast.csv", try_parse_dates=True)
    now = ft.load(FOLDER / name / "model").predict(rows)
    assert_frame_equal(now, then, check_dtypes=False, abs_tol=1e-4)
