from pathlib import Path

import pytest

from stripscan.contract.errors import ConfigError
from stripscan.runtime.station import load_station
from stripscan.runtime.station_genicam import GenicamSource
from stripscan.runtime.station_sources import FolderSource, SimulatorSource, VideoSource

MINIMAL = """\
name = "skin pass 2"

[camera]
mm_per_px = 0.5
mm_per_line = 0.25

[source]
kind = "folder"
path = "images"
"""

KINDS = '"folder", "video", "genicam", "simulator"'


def write(folder: Path, text: str) -> Path:
    path = folder / "station.toml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(folder: Path, text: str) -> list[str]:
    path = write(folder, text)
    with pytest.raises(ConfigError) as caught:
        load_station(path)
    return [line.removeprefix(f"{path}:") for line in str(caught.value).splitlines()]


def test_a_minimal_file_gets_the_documented_defaults(tmp_path: Path) -> None:
    station = load_station(write(tmp_path, MINIMAL))
    assert (station.camera.name, station.camera.surface) == ("camera", "top")
    assert station.camera.strip_edges == "detect"
    assert station.coil.id is None
    assert station.bundle.folder is None
    assert (station.inference.batch, station.inference.threads) == (16, 0)
    assert station.inference.tile_px is None
    assert station.stitch.join_mm == 2.0
    assert station.report.picture_px == 256


def test_paths_count_from_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plant").mkdir()
    text = MINIMAL.replace("[camera]", '[camera]\nflat_field = "a.npz"')
    write(tmp_path / "plant", text + '[store]\npath = "db/a.db"\n[bundle]\npath = "my"\n')
    monkeypatch.chdir(tmp_path)
    station = load_station(Path("plant/station.toml"))
    assert isinstance(station.source, FolderSource)
    assert station.source.path == tmp_path / "plant/images"
    assert station.store.path == tmp_path / "plant/db/a.db"
    assert station.bundle.folder == tmp_path / "plant/my"
    assert station.camera.flat_field == tmp_path / "plant/a.npz"


@pytest.mark.parametrize(
    ("uri", "live"),
    [("rtsp://camera/1", True), ("/dev/video0", True), ("0", True), ("/data/a.avi", False)],
)
def test_streams_and_devices_are_no_paths(tmp_path: Path, uri: str, live: bool) -> None:
    text = MINIMAL.replace('kind = "folder"\npath = "images"', f'kind = "video"\nuri = "{uri}"')
    source = load_station(write(tmp_path, text)).source
    assert isinstance(source, VideoSource)
    assert (source.uri, source.live) == (uri, live)


def test_a_video_file_counts_from_the_folder_of_the_file(tmp_path: Path) -> None:
    text = MINIMAL.replace('kind = "folder"\npath', 'kind = "video"\nuri')
    source = load_station(write(tmp_path, text)).source
    assert isinstance(source, VideoSource)
    assert source.uri == str(tmp_path / "images")


def test_the_simulator_needs_no_settings(tmp_path: Path) -> None:
    text = MINIMAL.replace('kind = "folder"\npath = "images"', 'kind = "simulator"')
    source = load_station(write(tmp_path, text)).source
    assert isinstance(source, SimulatorSource)
    assert source.block_lines == 256
    assert not source.pace


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = MINIMAL.replace("mm_per_px = 0.5", "mm_per_px = -0.5").replace("path =", "paht =")
    text += '[inference]\nbatch = "16"\ntile_px = 100\n[store]\npath = 7\n'
    assert problems(tmp_path, text) == [
        "4: camera.mm_per_px = -0.5: it must be a number in mm, above 0, at most 100",
        "9: source.paht is not known; did you mean path?",
        '11: inference.batch = "16": it must be a whole number in tiles, at least 1, at most 1024',
        "12: inference.tile_px = 100: it must be a whole number in px, at least 32, at most 8192, "
        "a multiple of 32",
        "14: store.path = 7: it must be a path",
    ]


def test_a_mistyped_table_is_not_reported_as_missing_too(tmp_path: Path) -> None:
    found = problems(tmp_path, MINIMAL.replace("[camera]", "[camrea]"))
    assert found == ["3: camrea is not known; did you mean camera?"]


def test_a_key_like_no_other_gets_the_list_of_keys(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, MINIMAL + "[stitch]\nxyz = 1\n")
    assert found == "11: stitch.xyz is not known; it may be join_mm"


def test_a_missing_key_says_what_to_add(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, MINIMAL.replace("mm_per_line = 0.25\n", ""))
    assert found == "3: camera.mm_per_line is missing: add a number in mm, above 0, at most 100"


def test_a_missing_table_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, 'name = "a"\n')
    with pytest.raises(ConfigError, match="camera is missing: add the table") as caught:
        load_station(path)
    assert "source is missing: add the table" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ('kind = "fodler"', f'kind = "fodler": it must be one of {KINDS}'),
        ("", f"kind is missing: it must be one of {KINDS}"),
    ],
)
def test_a_source_of_no_known_kind_gets_the_kinds(tmp_path: Path, given: str, said: str) -> None:
    (found,) = problems(tmp_path, MINIMAL.replace('kind = "folder"', given))
    assert said in found


@pytest.mark.parametrize("value", ["nan", "inf", "0", "true", '"0.5"', "1e9"])
def test_a_pitch_that_is_no_length_is_refused(tmp_path: Path, value: str) -> None:
    (found,) = problems(tmp_path, MINIMAL.replace("0.5", value))
    assert found.startswith("4: camera.mm_per_px = ")
    assert found.endswith("a number in mm, above 0, at most 100")


def test_a_halo_that_leaves_no_core_is_refused(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, MINIMAL + "[inference]\ntile_px = 256\nhalo_px = 128\n")
    assert found.startswith("10: inference: halo_px = 128 leaves nothing of tile_px = 256")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('strip_edges = "full"\nedge_margin_mm = 5.0', "edge_margin_mm needs the strip's edges"),
        ('transfer = "sqrt"', 'transfer = "sqrt" needs bits above 8'),
        ("bits = 11", "camera.bits = 11: it must be one of 8, 10, 12, 14, 16"),
        ("edge_margin_mm = -1.0", "camera.edge_margin_mm = -1.0: it must be a number in mm"),
    ],
)
def test_keys_of_a_camera_that_do_not_go_together(tmp_path: Path, keys: str, said: str) -> None:
    (found,) = problems(tmp_path, MINIMAL.replace("[camera]", f"[camera]\n{keys}"))
    assert said in found


def test_a_source_of_8_bits_is_not_taken_for_12(tmp_path: Path) -> None:
    text = MINIMAL.replace('kind = "folder"\npath = "images"', 'kind = "simulator"')
    (found,) = problems(tmp_path, text.replace("[camera]", "[camera]\nbits = 12"))
    assert 'a source of kind "simulator" has 8 bits' in found


@pytest.mark.parametrize(
    ("pixel_format", "bits", "fits"),
    [
        ("Mono8", 8, True),
        ("Mono12", 12, True),
        ("Mono16", 14, True),
        ("Mono12", 8, False),
        ("Mono8", 12, False),
        ("Mono16", 8, False),
    ],
)
def test_a_pixel_format_fits_the_bits_of_the_camera(
    tmp_path: Path, pixel_format: str, bits: int, fits: bool
) -> None:
    source = f'kind = "genicam"\nid = "a"\npixel_format = "{pixel_format}"'
    text = MINIMAL.replace('kind = "folder"\npath = "images"', source)
    text = text.replace("[camera]", f"[camera]\nbits = {bits}")
    if fits:
        assert load_station(write(tmp_path, text)).camera.bits == bits
    else:
        (found,) = problems(tmp_path, text)
        assert f'pixel_format = "{pixel_format}" does not fit bits = {bits} in [camera]' in found


def test_a_table_where_a_value_stands_is_asked_for(tmp_path: Path) -> None:
    (found,) = problems(tmp_path, "store = 3\n" + MINIMAL)
    assert found == "1: store must be a table of its own, [store]"


def test_text_that_looks_like_a_table_does_not_shift_the_lines(tmp_path: Path) -> None:
    name = 'name = """\n[camera]\nmm_per_px = 3\n"""'
    (found,) = problems(
        tmp_path, MINIMAL.replace('name = "skin pass 2"', name).replace("0.5", "-1")
    )
    assert found.startswith("7: camera.mm_per_px = -1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name = \n", "1: this is no TOML"),
        ('name = "a"\nname = "b"\n', "2: this is no TOML"),
        ('name = "a"\n[camera\n', "2: this is no TOML"),
    ],
)
def test_broken_toml_is_placed(tmp_path: Path, text: str, said: str) -> None:
    (found,) = problems(tmp_path, text)
    assert found.startswith(said)


def test_a_file_of_another_encoding_is_placed(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_bytes('# x\nname = "Walzstraße"\n'.encode("latin-1"))
    with pytest.raises(ConfigError, match=r"station\.toml:2: this is no UTF-8 text"):
        load_station(path)


def test_a_file_from_a_windows_editor_is_read(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_bytes(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())
    assert load_station(path).name == "skin pass 2"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot read the station file"):
        load_station(tmp_path / "gone.toml")


def test_reversals_without_an_encoder_are_told(tmp_path: Path) -> None:
    file = tmp_path / "station.toml"
    source = '[source]\nkind = "simulator"\nreversals = 2\n'
    file.write_text('name = "a"\n[camera]\nmm_per_px = 1\nmm_per_line = 1\n' + source)
    with pytest.raises(ConfigError, match=r"reversals = 2 in \[source\] needs a table \[encoder\]"):
        load_station(file)
    file.write_text(file.read_text() + "[encoder]\nmm_per_count = 0.1\n")
    assert load_station(file).encoder is not None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('engine = "triton"', 'station.toml: engine = "triton" in [inference] and a table'),
        ('engine = "triton"\n[triton]\naddress = "gpu"', ": triton: 'gpu' is no address of a"),
    ],
)
def test_a_server_that_is_missing_or_none_is_told_with_the_file(
    tmp_path: Path, more: str, said: str
) -> None:
    file = tmp_path / "station.toml"
    file.write_text(
        'name = "a"\n[camera]\nmm_per_px = 1\nmm_per_line = 1\n[source]\nkind = "simulator"\n'
        f"[inference]\n{more}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_station(file)
    assert said in str(caught.value)


def test_features_of_a_camera_are_plain_values(tmp_path: Path) -> None:
    camera = 'kind = "genicam"\nid = "a"\nfeatures = { Width = %s }'
    text = MINIMAL.replace('kind = "folder"\npath = "images"', camera)
    (found,) = problems(tmp_path, text % "[1]")
    assert "source.features: it must be a table of numbers, texts, true or false" in found
    source = load_station(write(tmp_path, text % "100")).source
    assert isinstance(source, GenicamSource)
    assert source.features == {"Width": 100}


LIVE = MINIMAL.replace('kind = "folder"\npath = "images"', 'kind = "genicam"\nid = "cam"')
COMMANDS = '[coil]\ncontrol = "commands"\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (MINIMAL + COMMANDS, "needs a source that runs on: a camera, a stream or a device"),
        (LIVE + COMMANDS + 'id = "a"\n', "id and length_m come with each coil"),
        (LIVE + '[control]\naddress = "0.0.0.0:8620"\n', "lets other machines in: add token_file"),
        (LIVE + '[control]\naddress = "127.0.0.1"\n', "it must be an address and a port"),
        (LIVE + '[control]\naddress = "127.0.0.1:99999"\n', "it must be an address and a port"),
    ],
)
def test_commands_need_a_source_that_runs_on_and_a_safe_address(
    tmp_path: Path, text: str, problem: str
) -> None:
    (found,) = problems(tmp_path, text)
    assert problem in found


def test_coil_after_coil_goes_with_an_encoder(tmp_path: Path) -> None:
    text = LIVE + COMMANDS + "[encoder]\nmm_per_count = 0.1\n"
    assert load_station(write(tmp_path, text)).encoder is not None


def test_a_station_by_commands_may_let_in_who_has_the_token(tmp_path: Path) -> None:
    open_to_all = '[control]\naddress = "[::]:8620"\ntoken_file = "token"\n'
    station = load_station(write(tmp_path, LIVE + COMMANDS + open_to_all))
    assert station.control is not None
    assert station.control.listen_at == ("::", 8620)
    assert station.control.token_file == tmp_path / "token"


def test_rolls_are_tables_of_their_own(tmp_path: Path) -> None:
    text = MINIMAL + '[[roll]]\nname = "F7"\ndiameter_mm = 700\n[[roll]]\nname = "R"\n'
    station = load_station(write(tmp_path, text + "diameter_mm = 300\nwear_mm = 10\n"))
    assert [(r.name, r.diameter_mm, r.wear_mm, r.elongation) for r in station.roll] == [
        ("F7", 700, 0, 1),
        ("R", 300, 10, 1),
    ]
    assert load_station(write(tmp_path, MINIMAL)).roll_repeat.false_alarms_per_coil == 0.01


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[[roll]]\nname = "F7"\ndiameter_mm = -1\n',
            "12: roll[1].diameter_mm = -1: it must be a number in mm, above 0, at most 5000",
        ),
        ("[[roll]]\ndiameter_mm = 700\n", "10: roll[1].name is missing: add text, not empty"),
        (
            '[[roll]]\nname = "F7"\ndiameter = 700\n',
            "12: roll[1].diameter is not known; did you mean diameter_mm?",
        ),
        (
            '[roll]\nname = "F7"\n',
            "10: roll must be an array of tables, [[roll]]",
        ),
        (
            '[[roll]]\nname = "F7"\ndiameter_mm = 70\nwear_mm = 60\n',
            "10: roll[1]: wear_mm = 60 is more than half of diameter_mm = 70: "
            "give the wear of the diameter, in mm",
        ),
        (
            "[roll_repeat]\nmin_diameter_mm = 2500\n",
            "10: roll_repeat: min_diameter_mm = 2500 is not below max_diameter_mm = 2000",
        ),
    ],
)
def test_a_wrong_roll_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    assert said in problems(tmp_path, MINIMAL + text)


def test_two_rolls_of_one_name_are_refused(tmp_path: Path) -> None:
    twice = '[[roll]]\nname = "F7"\ndiameter_mm = 700\n' * 2
    path = write(tmp_path, MINIMAL + twice)
    with pytest.raises(ConfigError, match=r'two tables .* have the name = "F7": give each its own'):
        load_station(path)
