"""One small network for all tests of the export."""

import pytest


@pytest.fixture(scope="session")
def graph():
    pytest.importorskip("torch")
    from unit.export.export_samples import lively_graph

    return lively_graph()


@pytest.fixture(scope="session")
def model(graph):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    from unit.export.export_samples import lively_model

    return lively_model(graph)


@pytest.fixture(scope="session")
def reference(graph):
    from unit.export.export_samples import lively_reference

    return lively_reference(graph)
