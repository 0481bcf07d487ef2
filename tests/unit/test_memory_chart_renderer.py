from __future__ import annotations

import pytest

from adapters.memory.chart_renderer import LabelChartRenderer
from tests.contracts.charts import ChartRendererContract


class TestLabelChartRenderer(ChartRendererContract):
    @pytest.fixture
    def renderer(self) -> LabelChartRenderer:
        return LabelChartRenderer()
