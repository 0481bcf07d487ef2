"""The fakes keep what the ports promise, and no binding bends a contract."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest

from domain.extraction.calls import FailureKind, ModelCallFailed
from ports.insights import ScheduledRunRepository
from ports.language_models import BatchId, FinishReason, Prompt
from tests.contracts.batch_language_model import BatchLanguageModelContract, BatchWorld, Ending
from tests.contracts.charts import ChartRendererContract
from tests.contracts.comparison import ComparisonsContract, ComparisonStore
from tests.contracts.contract import Contract
from tests.contracts.extraction_jobs import ExtractionJobsContract, JobStore
from tests.contracts.extractions import ExtractionsContract, Store
from tests.contracts.idempotency import IdempotencyContract
from tests.contracts.insights import (
    AnalyserContract,
    ClickWriterContract,
    InsightRepositoryContract,
    PrunerContract,
    Searches,
)
from tests.contracts.orders import OrdersContract
from tests.contracts.provider_batches import BatchStore, ProviderBatchesContract
from tests.contracts.records import Records
from tests.contracts.scheduled_runs import ScheduledRunRepositoryContract
from tests.contracts.unit_of_work import UnitOfWorkContract
from tests.contracts.users import UsersContract
from tests.fakes.comparison import MemoryComparisonRepository
from tests.fakes.extraction import (
    MemoryExtractionRepository,
    MemoryExtractionSchemaRepository,
)
from tests.fakes.insights import (
    searches_in_memory,
)
from tests.fakes.language_models import QUOTING, ScriptedBatchLanguageModel
from tests.fakes.provider_batches import MemoryProviderBatches
from tests.fakes.records import MemoryOrderRepository, MemoryUserRepository
from tests.fakes.system import LabelChartRenderer, MemoryScheduledRunRepository, StandingClock
from tests.fakes.tables import RecordTables
from tests.fakes.unit_of_work import MemoryUnitOfWorkFactory
from tests.unit.job_service import jobs_in_memory


class RecordsInMemory:
    @pytest.fixture
    def records(self) -> Records:
        clock = StandingClock()
        tables = RecordTables(clock=clock)

        async def let_pass(time: timedelta) -> None:
            clock.advance(time)

        return Records(
            users=MemoryUserRepository(tables),
            orders=MemoryOrderRepository(tables),
            open_unit=MemoryUnitOfWorkFactory(tables),
            let_pass=let_pass,
        )


class TestMemoryUsers(RecordsInMemory, UsersContract):
    pass


class TestMemoryOrders(RecordsInMemory, OrdersContract):
    pass


class TestMemoryIdempotency(RecordsInMemory, IdempotencyContract):
    pass


class TestMemoryUnitOfWork(RecordsInMemory, UnitOfWorkContract):
    pass


class TestMemoryExtractions(ExtractionsContract):
    @pytest.fixture
    def store(self) -> Store:
        tables = RecordTables(clock=StandingClock())
        return Store(
            schemas=MemoryExtractionSchemaRepository(tables.extraction),
            extractions=MemoryExtractionRepository(tables.extraction),
            open_unit=MemoryUnitOfWorkFactory(tables),
        )


class TestMemoryExtractionJobs(ExtractionJobsContract):
    @pytest.fixture
    def store(self) -> JobStore:
        return jobs_in_memory()[1]


class TestMemoryProviderBatches(ProviderBatchesContract):
    @pytest.fixture
    def store(self) -> BatchStore:
        tables, jobs = jobs_in_memory()
        return BatchStore(jobs=jobs, batches=MemoryProviderBatches(tables))


class ScriptedWorld(BatchWorld):
    def __init__(self) -> None:
        self.model = self._scripted = ScriptedBatchLanguageModel(say=self._say)
        self.profile = QUOTING
        self._server_error: str | None = None
        self._refusal: str | None = None

    def _say(self, prompt: Prompt) -> str | FailureKind:
        asked = prompt.messages[-1].content
        if self._server_error and self._server_error in asked:
            return FailureKind.SERVER_ERROR
        if self._refusal and self._refusal in asked:
            return FinishReason.REFUSED
        found = re.search(r"(\d+) lamps", asked)
        assert found is not None
        return json.dumps({"quantity": {"quote": found[0], "value": int(found[1])}})

    def arrange(
        self,
        *,
        ending: Ending = "completed",
        endless: bool = False,
        server_error: str | None = None,
        refusal: str | None = None,
    ) -> None:
        self._scripted.ending = None if endless else ending
        self._server_error, self._refusal = server_error, refusal

    def forget(self) -> None:
        self._scripted.batches.clear()


class TestScriptedBatchLanguageModel(BatchLanguageModelContract):
    @pytest.fixture
    def world(self) -> BatchWorld:
        return ScriptedWorld()


async def test_an_unreachable_provider_fails_as_scripted() -> None:
    model = ScriptedBatchLanguageModel(say=lambda _: "", unreachable=FailureKind.CONNECTION)
    with pytest.raises(ModelCallFailed):
        await model.find("token")
    with pytest.raises(ModelCallFailed):
        await model.status(BatchId("batch-1"))


class SearchesInMemory:
    @pytest.fixture
    def searches(self) -> Searches:
        return searches_in_memory()


class TestMemoryAnalysis(SearchesInMemory, AnalyserContract):
    pass


class TestMemoryInsightStore(SearchesInMemory, InsightRepositoryContract):
    pass


class TestMemoryClickLog(SearchesInMemory, ClickWriterContract):
    pass


class TestMemoryRetention(SearchesInMemory, PrunerContract):
    pass


class TestMemoryComparisons(ComparisonsContract):
    @pytest.fixture
    def comparison_store(self) -> ComparisonStore:
        tables = RecordTables(clock=StandingClock())
        return ComparisonStore(
            comparisons=MemoryComparisonRepository(tables),
            open_unit=MemoryUnitOfWorkFactory(tables),
        )


class TestMemoryScheduledRuns(ScheduledRunRepositoryContract):
    @pytest.fixture
    def runs(self) -> ScheduledRunRepository:
        return MemoryScheduledRunRepository()


class TestLabelChartRenderer(ChartRendererContract):
    @pytest.fixture
    def renderer(self) -> LabelChartRenderer:
        return LabelChartRenderer()


class Promise(Contract):
    def test_of_the_port(self) -> None:
        raise NotImplementedError


def test_a_binding_that_replaces_a_test_of_its_contract_is_refused() -> None:
    with pytest.raises(TypeError, match=r"Sly replaces .*test_of_the_port"):

        class Sly(Promise):
            def test_of_the_port(self) -> None:
                pass


def test_a_binding_that_switches_a_test_of_its_contract_off_is_refused() -> None:
    with pytest.raises(TypeError, match="test_of_the_port"):
        type("Sly", (Promise,), {"test_of_the_port": None})


def test_a_binding_may_bring_tests_and_fixtures_of_its_own() -> None:
    class Honest(Promise):
        def test_of_its_own(self) -> None:
            pass

    assert issubclass(Honest, Promise)
