"""What adapters hold is given back when the run has ended."""

from kitchen_core.adapters.manifest import resolve_manifest
from kitchen_core.adapters.wiring import Wiring
from tests.kitchen_core.adapters.python_bridge.support import all_gone, workers


async def test_closing_ends_the_processes_of_the_bridge(tmp_path):
    wiring = Wiring(resolve_manifest("dev", {}, tmp_path), secrets={})
    before = {process.pid for process in workers()}
    assert await wiring.connect("python_bridge").call("math_verify.verify", "1/2", "0.5") == "right"
    processes = [process for process in workers() if process.pid not in before]
    assert processes
    await wiring.close()
    assert all_gone(processes)


async def test_adapters_that_hold_nothing_and_remote_ones_are_closed_too(tmp_path):
    wiring = Wiring(resolve_manifest("dev", {}, tmp_path), secrets={"OPENAI_API_KEY": "none"})
    wiring.connect("training_client")
    wiring.connect("llm")
    await wiring.close()
    await wiring.close()
