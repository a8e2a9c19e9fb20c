import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from stripscan.contract.bundle import Bundle, open_bundle, write_bundle
from stripscan.contract.errors import BundleError, ConfigError, EngineError, MissingPartError
from stripscan.contract.manifest import Variant
from stripscan.export.triton import RepositoryOptions, write_model_repository
from stripscan.runtime.engines.choice import open_engine
from stripscan.runtime.engines.triton import TritonEngine
from stripscan.runtime.engines.triton_wire import TritonServer
from stripscan.runtime.golden import replay
from unit.contract.bundle_samples import draft

pytest.importorskip("tritonclient.grpc", exc_type=ImportError)
pytest.importorskip("onnx")

import grpc

from unit.runtime.onnx_samples import dark_model
from unit.runtime.triton_server import Peer, serving

SERVER = Path(__file__).with_name("triton_server.py")
DEFAULT = Path(__file__).parents[3] / "runtime" / "stripscan" / "models" / "neu-strip-small.zip"
OPTIONS = RepositoryOptions(device="cpu", max_batch=4)

pytestmark = pytest.mark.export


def dark_bundle(path: Path, *, name: str = "dark", class_id: int = 2) -> Bundle:
    files = {"model.onnx": dark_model(class_id=class_id)}
    return write_bundle(path, draft(name=name, golden=()), files)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return dark_bundle(tmp_path / "bundle")


@pytest.fixture
def repository(tmp_path: Path, bundle: Bundle) -> Path:
    write_model_repository(bundle, tmp_path / "models", options=OPTIONS)
    return tmp_path / "models"


@pytest.fixture
def peer(repository: Path) -> Peer:
    return Peer(repository)


@pytest.fixture
def address(peer: Peer) -> Iterator[str]:
    with serving(peer) as at:
        yield at


def variant_of(bundle: Bundle) -> Variant:
    return bundle.manifest.variants[0]


def engine_at(address: str, bundle: Bundle, **options: object) -> TritonEngine:
    server = TritonServer(address=address, **options)  # type: ignore[arg-type]
    return TritonEngine(bundle, variant_of(bundle), server)


def tiles_with_a_spot(count: int = 1) -> np.ndarray:
    tiles = np.full((count, 32, 64), 100, np.uint8)
    tiles[:, 3, 4:8] = np.arange(count, dtype=np.uint8)[:, None]
    return tiles


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return int(probe.getsockname()[1])


def infer_when_back(engine: TritonEngine, tiles: np.ndarray, *, within_s: float) -> np.ndarray:
    """Infer as a station does, which goes on after an error."""
    end = time.monotonic() + within_s
    while True:
        try:
            return engine.infer(tiles)[0]
        except EngineError:
            assert time.monotonic() < end, "the engine did not come back"
            time.sleep(0.1)


def test_it_gives_the_masks_of_the_local_engine_on_the_default_bundle(tmp_path: Path) -> None:
    default = open_bundle(DEFAULT)
    write_model_repository(default, tmp_path / "models", options=OPTIONS)
    tiles = np.random.default_rng(0).integers(0, 256, (5, 64, 96), np.uint8)
    with serving(Peer(tmp_path / "models")) as address:
        engine = engine_at(address, default, timeout_s=30.0)
        mask, score = engine.infer(tiles)
        frames = replay(engine, default)
        engine.close()
    wanted_mask, wanted_score = open_engine(default).infer(tiles)
    np.testing.assert_array_equal(mask, wanted_mask)
    np.testing.assert_array_equal(score, wanted_score)
    assert len(frames) == 8
    assert all(frame.passed for frame in frames)


def test_more_tiles_than_the_server_takes_go_in_several_calls(
    peer: Peer, address: str, bundle: Bundle
) -> None:
    engine = engine_at(address, bundle)
    tiles = tiles_with_a_spot(11)
    mask, score = engine.infer(tiles)
    assert peer.batches == [4, 4, 3]
    np.testing.assert_array_equal(mask == 2, tiles < 40)
    assert mask.dtype == score.dtype == np.uint8
    assert mask.flags.writeable
    assert engine.infer(tiles[:0])[0].shape == (0, 32, 64)
    assert engine.description == f"Triton 0.0 at {address}, model {next(iter(peer.models))}"
    engine.close()


def test_a_slice_of_a_larger_image_arrives_as_it_is(address: str, bundle: Bundle) -> None:
    engine = engine_at(address, bundle)
    wide = np.random.default_rng(1).integers(0, 256, (3, 64, 128), np.uint8)
    tiles = wide[:, ::2, 32:96]
    mask, _ = engine.infer(tiles)
    np.testing.assert_array_equal(mask == 2, tiles < 40)
    engine.close()


def test_the_server_may_drop_a_request_when_the_station_gives_up(
    peer: Peer, address: str, bundle: Bundle
) -> None:
    engine = engine_at(address, bundle, timeout_s=1.5)
    engine.infer(tiles_with_a_spot())
    assert 0 < peer.timeouts_us[0] <= 1_500_000
    engine.close()


def test_the_server_of_another_bundle_is_refused(
    address: str, peer: Peer, bundle: Bundle, tmp_path: Path
) -> None:
    same_file = dark_bundle(tmp_path / "renamed", name="dark-2")
    (served,) = peer.models
    with pytest.raises(BundleError, match=rf"has {bundle.digest[:12]} as stripscan\.bundle_sha256"):
        engine_at(address, same_file, model=served)


def test_the_server_of_another_file_is_refused(address: str, tmp_path: Path) -> None:
    other = dark_bundle(tmp_path / "other", class_id=3)
    with pytest.raises(EngineError, match=r"does not serve dark-fp32-.*--to triton.*restart"):
        engine_at(address, other)


def test_a_model_of_someone_else_is_refused(peer: Peer, address: str, bundle: Bundle) -> None:
    (model,) = peer.models.values()
    del model.config.parameters["stripscan.bundle_sha256"]
    with pytest.raises(BundleError, match="has nothing as stripscan"):
        engine_at(address, bundle)


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "picture"), ("data_type", 11), ("dims", [3, -1, -1]), ("dims", [256, 256])],
)
def test_a_model_that_breaks_the_contract_is_refused(
    peer: Peer, address: str, bundle: Bundle, field: str, value: object
) -> None:
    (model,) = peer.models.values()
    tensor = model.config.input[0]
    if field == "dims":
        tensor.dims[:] = value
    else:
        setattr(tensor, field, value)
    with pytest.raises(BundleError, match=r"takes and gives .* stripscan needs"):
        engine_at(address, bundle)


def test_tiles_of_another_size_than_the_server_takes_never_leave(
    tmp_path: Path, bundle: Bundle
) -> None:
    options = RepositoryOptions(device="cpu", max_batch=2, tile_px=64)
    write_model_repository(bundle, tmp_path / "fixed", options=options)
    peer = Peer(tmp_path / "fixed")
    with serving(peer) as address:
        engine = engine_at(address, bundle)
        with pytest.raises(EngineError, match=r"takes uint8 tiles of 64 x 64 px, not uint8 of"):
            engine.infer(tiles_with_a_spot())
        for wrong in (np.zeros((64, 64), np.uint8), np.zeros((1, 64, 64), np.float32)):
            with pytest.raises(EngineError, match="takes uint8 tiles"):
                engine.infer(wrong)
        assert peer.batches == []
        assert engine.infer(np.zeros((1, 64, 64), np.uint8))[0].all()
        engine.close()


def test_a_server_that_is_too_slow_is_given_up_in_time(
    peer: Peer, address: str, bundle: Bundle
) -> None:
    engine = engine_at(address, bundle, timeout_s=0.4)
    peer.delay_s = 1.5
    start = time.monotonic()
    with pytest.raises(EngineError, match=rf"{address}: no answer within 0\.4 s: .*timeout_s"):
        engine.infer(tiles_with_a_spot())
    assert time.monotonic() - start < 1.2
    peer.delay_s = 0.0
    assert infer_when_back(engine, tiles_with_a_spot(), within_s=10).any()
    engine.close()


def test_one_refusal_for_now_is_tried_again_and_a_second_is_told(
    peer: Peer, address: str, bundle: Bundle
) -> None:
    engine = engine_at(address, bundle, timeout_s=10.0)
    peer.failures = [grpc.StatusCode.UNAVAILABLE]
    assert engine.infer(tiles_with_a_spot())[0].any()
    peer.failures = [grpc.StatusCode.UNAVAILABLE] * 2
    with pytest.raises(EngineError, match=rf"{address}: UNAVAILABLE: as the test asked for: check"):
        engine.infer(tiles_with_a_spot())
    engine.close()


@pytest.mark.parametrize("code", [c for c in grpc.StatusCode if c is not grpc.StatusCode.OK])
def test_every_error_of_the_server_is_an_engine_error(
    peer: Peer, address: str, bundle: Bundle, code: grpc.StatusCode
) -> None:
    engine = engine_at(address, bundle, timeout_s=10.0)
    peer.failures = [code, code]
    with pytest.raises(EngineError, match=f"Triton at {address}: .*: (check|write|see)"):
        engine.infer(tiles_with_a_spot())
    peer.failures = []
    assert engine.infer(tiles_with_a_spot())[0].any()
    engine.close()


def test_an_answer_of_the_wrong_size_is_refused(peer: Peer, address: str, bundle: Bundle) -> None:
    engine = engine_at(address, bundle)
    peer.cut = 1
    with pytest.raises(EngineError, match="no mask and score of the same size"):
        engine.infer(tiles_with_a_spot())
    engine.close()


def test_a_server_that_is_still_loading_is_told_from_one_without_the_model(
    peer: Peer, address: str, bundle: Bundle
) -> None:
    peer.ready = False
    with pytest.raises(EngineError, match="is not ready, it loads models"):
        engine_at(address, bundle)


def test_nobody_at_the_address_is_told_at_once(bundle: Bundle) -> None:
    start = time.monotonic()
    with pytest.raises(EngineError, match=r"Triton at localhost:\d+: UNAVAILABLE: .*check that"):
        engine_at(f"localhost:{free_port()}", bundle)
    assert time.monotonic() - start < 4


def test_a_restarted_server_is_found_again(repository: Path, bundle: Bundle) -> None:
    port = free_port()
    with serving(Peer(repository), port=port) as address:
        engine = engine_at(address, bundle)
        engine.infer(tiles_with_a_spot())
    with pytest.raises(EngineError, match=address):
        engine.infer(tiles_with_a_spot())
    with serving(Peer(repository), port=port):
        assert infer_when_back(engine, tiles_with_a_spot(), within_s=20).any()
    engine.close()


def test_a_server_that_comes_back_with_another_model_is_refused(
    repository: Path, bundle: Bundle, tmp_path: Path
) -> None:
    port = free_port()
    with serving(Peer(repository), port=port) as address:
        engine = engine_at(address, bundle)
    other = dark_bundle(tmp_path / "other", class_id=3)
    write_model_repository(other, repository, options=OPTIONS)
    with serving(Peer(repository), port=port):
        # No call met the break, so nothing but the model's name can tell.
        end = time.monotonic() + 20
        said = ""
        while "triton" not in said:
            assert time.monotonic() < end, said
            with pytest.raises(EngineError) as caught:
                engine.infer(tiles_with_a_spot())
            said = str(caught.value)
    assert "--to triton" in said
    engine.close()


def test_a_server_that_comes_back_with_smaller_batches_is_followed(
    repository: Path, bundle: Bundle
) -> None:
    port = free_port()
    with serving(Peer(repository), port=port) as address:
        engine = engine_at(address, bundle, timeout_s=10.0)
        engine.infer(tiles_with_a_spot(4))
    write_model_repository(bundle, repository, options=RepositoryOptions(max_batch=2))
    peer = Peer(repository)
    with serving(peer, port=port):
        mask = infer_when_back(engine, tiles_with_a_spot(4), within_s=20)
    np.testing.assert_array_equal(mask == 2, tiles_with_a_spot(4) < 40)
    assert peer.batches[-2:] == [2, 2]
    engine.close()


def test_a_server_killed_in_the_middle_is_an_error_that_names_it(
    repository: Path, bundle: Bundle
) -> None:
    program = [sys.executable, str(SERVER), str(repository), "0", "30"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        engine = engine_at(address, bundle, timeout_s=20.0)
        threading.Timer(0.7, os.kill, (server.pid, signal.SIGKILL)).start()
        start = time.monotonic()
        with pytest.raises(EngineError, match=f"Triton at {address}: UNAVAILABLE"):
            engine.infer(tiles_with_a_spot())
        assert 0.5 < time.monotonic() - start < 8
        engine.close()


def test_a_closed_engine_says_so(address: str, bundle: Bundle) -> None:
    engine = engine_at(address, bundle)
    engine.close()
    with pytest.raises(EngineError, match="closed"):
        engine.infer(tiles_with_a_spot())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"address": "http://gpu:8000"}, "write host and gRPC port, such as gpu-server:8001"),
        ({"address": "gpu-server"}, "is no address"),
        ({"address": "gpu:8001", "timeout_s": 0.0}, "timeout_s is 0"),
        ({"address": "gpu:8001", "key": Path("key.pem")}, "certificate and key .* go together"),
    ],
)
def test_servers_that_cannot_be_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        TritonServer(**options)  # type: ignore[arg-type]


def test_an_address_may_be_of_ipv6() -> None:
    assert TritonServer(address="[fd00::1]:8001").model is None


def test_a_certificate_that_cannot_be_read_is_named(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ca\.pem: cannot be read for TLS"):
        engine_at("localhost:1", bundle, ca=tmp_path / "ca.pem")


def self_signed() -> tuple[bytes, bytes]:
    """Return a key and its certificate for localhost, PEM."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM)


def test_tls_asks_for_the_certificates_of_both_sides(
    peer: Peer, bundle: Bundle, tmp_path: Path
) -> None:
    key, certificate = self_signed()
    files = {"key": tmp_path / "key.pem", "certificate": tmp_path / "own.pem"}
    files["key"].write_bytes(key)
    files["certificate"].write_bytes(certificate)
    credentials = grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=certificate, require_client_auth=True
    )
    with serving(peer, credentials=credentials) as address:
        engine = engine_at(address, bundle, ca=files["certificate"], **files)
        assert engine.infer(tiles_with_a_spot())[0].any()
        engine.close()
        for stranger in ({}, {"tls": True}, {"ca": files["certificate"]}):
            with pytest.raises(EngineError, match=r"UNAVAILABLE: .* TLS"):
                engine_at(address, bundle, **stranger)


def test_a_lean_install_names_the_extra(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tritonclient.grpc", None)
    with pytest.raises(MissingPartError, match=r"pip install 'stripscan\[triton\]'"):
        engine_at("localhost:1", bundle)
