"""LAS and LAZ files: every dimension, scale, offset and record is kept; laspy reads what is written."""

import io
import re
import struct
from fractions import Fraction

import laspy
import numpy as np
import pytest

from tensorframes.data.io import encode_cloud, parse_cloud, read_cloud, unkept, write_cloud
from tensorframes.data.io.columns import Columns, table_of
from tensorframes.errors import UserError

POINTS = 40


def survey(version: str = "1.4", form: int = 7, extra: tuple[laspy.ExtraBytesParams, ...] = ()) -> laspy.LasData:
    """Points far from the origin, with all that a survey has: extra bytes, records, flags."""
    rng = np.random.default_rng(0)
    header = laspy.LasHeader(version=version, point_format=form)
    header.scales, header.offsets = [0.001, 0.002, 0.01], [500_000.25, 5_400_000, 300]
    header.vlrs.append(laspy.VLR("LASF_Projection", 2112, "a WKT", b'PROJCS["..."]\0'))
    header.vlrs.append(laspy.VLR("someone", 7, "unknown", bytes(range(50))))
    header.add_extra_dims(list(extra))
    data = laspy.LasData(header, laspy.ScaleAwarePointRecord.zeros(POINTS, header=header))
    for axis in "XYZ":
        data[axis] = rng.integers(-(2**30), 2**30, POINTS)
    data.intensity, data.red, data.classification = rng.integers(0, 65535, (2, POINTS)).tolist() + [[2] * POINTS]
    data.gps_time = rng.random(POINTS) * 1e9
    data.return_number = rng.integers(1, 5, POINTS)
    if header.version.minor >= 4:
        data.evlrs = laspy.vlrs.vlrlist.VLRList([laspy.VLR("someone", 9, "long", bytes(70_000))])
    return data


def content_of(data: laspy.LasData, compressed: bool) -> bytes:
    stream = io.BytesIO()
    data.write(stream, do_compress=compressed)
    return stream.getvalue()


def normals() -> np.ndarray:
    values = np.random.default_rng(1).normal(size=(POINTS, 3))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.parametrize(("version", "form"), [("1.2", 3), ("1.4", 7)])
def test_all_that_a_survey_has_is_kept(tmp_path, suffix, version, form):
    extra = (laspy.ExtraBytesParams("Amplitude", "i2", "dB", offsets=[3.0], scales=[0.01]),)
    before = survey(version, form, extra)
    before["Amplitude"] = np.arange(POINTS) * 0.01 + 3
    (tmp_path / f"a{suffix}").write_bytes(content_of(before, suffix == ".laz"))
    columns = read_cloud(tmp_path / f"a{suffix}")
    np.testing.assert_allclose(columns.pos, before.xyz, rtol=0, atol=1e-9)
    write_cloud(tmp_path / f"b{suffix}", columns.with_normals(normals()))
    after = laspy.read(tmp_path / f"b{suffix}")
    for name in before.point_format.dimension_names:
        np.testing.assert_array_equal(np.asarray(after[name]), np.asarray(before[name]), err_msg=name)
    assert list(after.point_format.extra_dimension_names) == ["Amplitude", "NormalX", "NormalY", "NormalZ"]
    np.testing.assert_array_equal(np.stack([after[f"Normal{axis}"] for axis in "XYZ"], 1), normals())
    assert (after.header.version, after.header.point_format.id) == (version, form)
    np.testing.assert_array_equal(after.header.scales, before.header.scales)
    np.testing.assert_array_equal(after.header.offsets, before.header.offsets)
    kept = [(record.user_id, record.record_id, record.record_data) for record in after.vlrs if record.record_id == 7]
    assert kept == [("someone", 7, bytes(range(50)))]
    assert [record.user_id for record in after.vlrs].count("LASF_Projection") == 1
    if version == "1.4":
        assert [len(record.record_data) for record in after.evlrs] == [70_000]
    assert after.header.are_points_compressed == (suffix == ".laz")


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.parametrize("date", [(0, 0), (0, 2010), (366, 2019), (33, 2024)])
def test_the_date_of_creation_is_kept_also_if_there_is_none(suffix, date):
    content = bytearray(content_of(survey(), suffix == ".laz"))
    content[90:94] = struct.pack("<HH", *date)
    columns = parse_cloud(bytes(content), f"a{suffix}")
    assert struct.unpack_from("<HH", encode_cloud(columns.with_normals(normals()), f"b{suffix}"), 90) == date


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.parametrize(("form", "legacy"), [(3, True), (7, False)])
def test_points_are_counted_as_older_versions_do_where_these_know_the_format(suffix, form, legacy):
    before = survey("1.4", form)
    content = encode_cloud(parse_cloud(content_of(before, False), "a.las").with_normals(normals()), f"b{suffix}")
    by_return = [int((np.asarray(before.return_number) == number).sum()) for number in range(1, 6)]
    assert struct.unpack_from("<6Q", content, 247) == (POINTS, *by_return)
    assert struct.unpack_from("<6I", content, 107) == ((POINTS, *by_return) if legacy else (0,) * 6)


@pytest.mark.parametrize(
    ("step", "offset"),
    [(0.001, 0.0), (0.001, 5_400_000.0), (0.0025, -500_000.25), (1e-7, 0.1), (25.0, 1e6), (2.0**-7, 1 / 8)],
)
def test_numbers_have_the_decimals_of_their_scale(tmp_path, step, offset):
    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = [step] * 3, [offset] * 3
    header.add_extra_dims([laspy.ExtraBytesParams("A", "i4", scales=[step], offsets=[offset])])
    header.add_extra_dims([laspy.ExtraBytesParams("B", "2i4", scales=[step] * 2, offsets=[offset] * 2)])
    data = laspy.LasData(header, laspy.ScaleAwarePointRecord.zeros(POINTS, header=header))
    data.X = data.Y = data.Z = np.random.default_rng(0).integers(-(2**31), 2**31, POINTS)
    data.points.array["A"] = data.X
    data.points.array["B"] = np.stack([data.X, data.X], 1)
    (tmp_path / "a.las").write_bytes(content_of(data, False))
    columns = read_cloud(tmp_path / "a.las")
    exact = [int(number) * Fraction(repr(step)) + Fraction(repr(offset)) for number in np.asarray(data.X)]
    numbers = [float(number) for number in exact]
    assert columns.pos.T.tolist() == [numbers] * 3
    assert (columns.table["A"].tolist(), columns.table["B"].T.tolist()) == (numbers, [numbers] * 2)
    for name in ("a.csv", "a.obj", "a.off"):
        write_cloud(tmp_path / name, columns.with_normals(normals()))
        np.testing.assert_array_equal(read_cloud(tmp_path / name).pos, columns.pos)


@pytest.mark.parametrize(("step", "offset"), [(1 / 3, 0.0), (1e-9, 5e6), (0.0010000000000000002, 0.0), (1e-25, 0.0)])
def test_numbers_of_other_scales_are_those_of_laspy(tmp_path, step, offset):
    data = survey()
    data.header.scales, data.header.offsets = [step] * 3, [offset] * 3
    data.points.scales, data.points.offsets = data.header.scales, data.header.offsets
    (tmp_path / "a.las").write_bytes(content_of(data, False))
    np.testing.assert_array_equal(read_cloud(tmp_path / "a.las").pos, laspy.read(tmp_path / "a.las").xyz)


@pytest.mark.parametrize("suffix", [".las", ".laz"])
@pytest.mark.parametrize(("form", "minor", "becomes"), [(0, 0, "1.1"), (1, 0, "1.1"), (3, 1, "1.2")])
def test_versions_that_laspy_does_not_write_become_the_next(tmp_path, suffix, form, minor, becomes):
    header = laspy.LasHeader(version="1.2", point_format=form)
    header.scales, header.offsets = [0.01] * 3, [500_000, 5_400_000, 300]
    header.vlrs.append(laspy.VLR("someone", 7, "unknown", bytes(range(50))))
    before = laspy.LasData(header, laspy.ScaleAwarePointRecord.zeros(POINTS, header=header))
    before.X, before.intensity = np.arange(POINTS), np.arange(POINTS)
    content = bytearray(content_of(before, suffix == ".laz"))
    content[25] = minor
    (tmp_path / f"a{suffix}").write_bytes(content)
    write_cloud(tmp_path / f"b{suffix}", read_cloud(tmp_path / f"a{suffix}").with_normals(normals()))
    after = laspy.read(tmp_path / f"b{suffix}")
    assert (str(after.header.version), after.header.point_format.id) == (becomes, form)
    np.testing.assert_array_equal(after.xyz, before.xyz)
    np.testing.assert_array_equal(after.intensity, before.intensity)
    assert bytes(range(50)) in [record.record_data for record in after.vlrs if record.record_id == 7]
    np.testing.assert_array_equal(after["NormalX"], normals()[:, 0])


def test_normals_that_are_there_are_replaced_by_floats(tmp_path):
    names = ("NormalX", "NormalY", "NormalZ")
    extra = [laspy.ExtraBytesParams(name, "i2", offsets=[0.0], scales=[0.1]) for name in names]
    (tmp_path / "a.las").write_bytes(content_of(survey(extra=(*extra, laspy.ExtraBytesParams("last", "u1"))), False))
    write_cloud(tmp_path / "a.las", read_cloud(tmp_path / "a.las").with_normals(normals()))
    again = read_cloud(tmp_path / "a.las")
    np.testing.assert_array_equal(again.normal, normals())
    assert set(laspy.read(tmp_path / "a.las").point_format.extra_dimension_names) == {*names, "last"}


@pytest.mark.parametrize(("size", "offset"), [(1.0, 0.0), (1e-6, 5.0), (1e5, 4e6), (1e300, 0.0)])
def test_points_of_other_files_lie_on_a_fine_grid(tmp_path, size, offset):
    pos = np.random.default_rng(0).normal(size=(POINTS, 3)) * size + offset
    arrays = {"Y": pos[:, 1], "X": pos[:, 0], "Z": pos[:, 2], "Intensity": np.arange(POINTS) * 1.0}
    arrays |= {"red": np.arange(POINTS, dtype="u1"), "green": np.zeros(POINTS, "u1")}
    arrays |= {"blue": np.zeros(POINTS, "u1"), "score": np.arange(POINTS) / 7, "classification": np.full(POINTS, -1)}
    write_cloud(tmp_path / "a.laz", Columns(table_of(arrays)).with_normals(normals()))
    data = laspy.read(tmp_path / "a.laz")
    np.testing.assert_allclose(data.xyz, pos, rtol=0, atol=1e-8 * size)
    np.testing.assert_array_equal(data.intensity, np.arange(POINTS))
    np.testing.assert_array_equal(data.red, np.arange(POINTS))
    np.testing.assert_array_equal(data["score"], arrays["score"])
    np.testing.assert_array_equal(data["classification_2"], -1)  # LAS's own begins at 0
    np.testing.assert_array_equal(data["NormalZ"], normals()[:, 2])


def test_the_largest_coordinates_give_no_warning(tmp_path):
    pos = np.array([[1.7e308, -1.7e308, 0], [-1.7e308, 1.7e308, 1], [0, 0, 2]])
    write_cloud(tmp_path / "a.las", Columns(table_of({"xyz": pos})))
    np.testing.assert_allclose(read_cloud(tmp_path / "a.las").pos, pos, rtol=1e-8, atol=0.1)


def test_what_las_can_not_keep(tmp_path, caplog):
    pos, wide = np.ones((3, 3)), np.ones((3, 33))
    columns = Columns(table_of({"xyz": pos, "fpfh": wide, "name": np.array(["a", "b", "c"]), "near": wide[:, :3]}))
    write_cloud(tmp_path / "a.las", columns)
    assert caplog.messages == [f"{tmp_path / 'a.las'}: .las can't keep fpfh, name: left out"]
    np.testing.assert_array_equal(laspy.read(tmp_path / "a.las")["near"], wide[:, :3])
    pos[1] = np.nan
    with pytest.raises(UserError, match=r"b\.las: LAS keeps finite positions alone, got 1 row with others"):
        write_cloud(tmp_path / "b.las", Columns(table_of({"xyz": pos})))
    assert not (tmp_path / "b.las").exists()


def test_columns_beyond_the_room_for_extra_bytes_are_left_out(tmp_path):
    bands = {f"band {index}": np.full(POINTS, index, np.uint16) for index in range(400)}
    columns = Columns(table_of({"xyz": np.random.default_rng(0).normal(size=(POINTS, 3)), **bands}))
    lost = unkept(tmp_path / "a.las", columns)
    assert lost == tuple(f"band {index}" for index in range(338, 400))
    write_cloud(tmp_path / "a.las", columns.without(lost).with_normals(normals()))
    again = read_cloud(tmp_path / "a.las")
    assert again.table["band 337"].tolist() == [337] * POINTS
    more = again.with_columns({"confidence": np.zeros(POINTS, np.float32)})
    assert unkept(tmp_path / "b.las", more) == ("confidence",)


@pytest.mark.parametrize(("own", "fits"), [(338, True), (339, False), (341, False)])
def test_normals_without_room_for_extra_bytes_are_told_before_the_work(tmp_path, own, fits):
    names = [f"band {index}" for index in range(own)]
    data = survey("1.2", 3, extra=[laspy.ExtraBytesParams(name, "u1") for name in names])
    (tmp_path / "a.las").write_bytes(content_of(data, False))
    columns = read_cloud(tmp_path / "a.las")
    if not fits:
        with pytest.raises(UserError, match=rf"b\.las: LAS has room for 341 columns of its own, got {own} and normals"):
            unkept(tmp_path / "b.las", columns)
        return
    assert unkept(tmp_path / "b.las", columns) == ()
    write_cloud(tmp_path / "b.las", columns.with_normals(normals()))
    again = read_cloud(tmp_path / "b.las")
    write_cloud(tmp_path / "c.las", again.with_normals(-normals()))
    np.testing.assert_array_equal(read_cloud(tmp_path / "c.las").normal, -normals())


def test_a_tree_of_points_is_not_kept_for_points_in_new_bytes(tmp_path):
    data = survey()
    data.header.vlrs.append(laspy.VLR("copc", 1, "", bytes(160)))
    (tmp_path / "a.las").write_bytes(content_of(data, False))
    try:
        columns = read_cloud(tmp_path / "a.las")
    except UserError as error:
        pytest.fail(str(error))
    write_cloud(tmp_path / "b.las", columns.with_normals(normals()))
    assert "copc" not in [record.user_id for record in laspy.read(tmp_path / "b.las").vlrs]


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:100],
        lambda content: content[: len(content) // 2],
        lambda content: b"LASX" + content[4:],
        lambda content: content[:100] + b"\xff\xff\xff\xff" + content[104:],  # the number of records
        lambda content: content[:96] + b"\xff\xff\xff\xff" + content[100:],  # where the points begin
        lambda content: content[:243] + b"\xff\xff\xff\xff" + content[247:],  # the number of extended records
        lambda content: content[:247] + b"\xff\xff\xff\xff\0\0\0\0" + content[255:],  # the number of points
    ],
)
def test_broken_files_are_one_line(tmp_path, capfd, compressed, damage):
    (tmp_path / "a.laz").write_bytes(damage(content_of(survey(), compressed)))
    with pytest.raises(UserError, match=r"a\.laz: expected ") as caught:
        read_cloud(tmp_path / "a.laz")
    assert "\n" not in str(caught.value)
    assert str(caught.value).count("expected ") == 1
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("place", "number"), [(131, 0.0), (139, np.nan), (147, 1e306), (155, np.inf), (171, -np.inf)])
def test_a_grid_without_positions_is_refused(tmp_path, compressed, place, number):
    content = bytearray(content_of(survey(), compressed))
    content[place : place + 8] = np.array(number).tobytes()
    (tmp_path / "a.las").write_bytes(content)
    with pytest.raises(UserError, match=rf"a\.las: expected scales other .*, got .*{re.escape(str(number))}"):
        read_cloud(tmp_path / "a.las")


@pytest.mark.parametrize("compressed", [False, True])
def test_a_point_format_that_there_is_not_is_named(tmp_path, compressed):
    content = bytearray(content_of(survey(), compressed))
    content[104] |= 63
    (tmp_path / "a.las").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.las: expected a point format from 0 to 10, got 63"):
        read_cloud(tmp_path / "a.las")


@pytest.mark.parametrize("place", [None, 7])
def test_a_broken_table_of_chunks_does_not_end_the_program(tmp_path, place):
    content = bytearray(content_of(survey(), True))
    start = int.from_bytes(content[96:100], "little")
    table = int.from_bytes(content[start : start + 8], "little")
    content[table + 4 : table + 8] = b"\xff" * 4
    if place is None:  # the table's place stands at the end of the file
        content += table.to_bytes(8, "little")
        content[start : start + 8] = b"\xff" * 8
    (tmp_path / "a.laz").write_bytes(content)
    with pytest.raises(UserError, match="expected a table of chunks, got 4294967295 of them"):
        read_cloud(tmp_path / "a.laz")


def test_what_laspy_could_not_read_again_is_not_written(tmp_path):
    data = survey()
    content = bytearray(content_of(data, False))
    # Twelve bytes more in each point that no record tells of: the format allows it.
    size = data.point_format.size
    start = int.from_bytes(content[96:100], "little")
    points = np.frombuffer(bytes(content), np.uint8, POINTS * size, start).reshape(POINTS, size)
    content[105:107] = (size + 12).to_bytes(2, "little")
    content[start : start + POINTS * size] = np.c_[points, np.zeros((POINTS, 12), np.uint8)].tobytes()
    content[235:247] = bytes(12)
    (tmp_path / "a.las").write_bytes(content)
    before = (tmp_path / "a.las").read_bytes()
    columns = read_cloud(tmp_path / "a.las").with_normals(normals())
    with pytest.raises(UserError, match="can't be written as LAS"):
        write_cloud(tmp_path / "a.las", columns)
    assert (tmp_path / "a.las").read_bytes() == before
    assert read_cloud(tmp_path / "a.las").normal is None


def test_packets_of_waveforms_are_not_garbled_silently(tmp_path):
    data, random = survey("1.4", 10), np.random.default_rng(0)
    data.scanner_channel = np.zeros(POINTS, np.uint8)
    for name in data.point_format.dimension_names:
        if name.startswith("wavepacket") or name in ("x_t", "y_t", "z_t", "return_point_wave_location"):
            data[name] = random.integers(0, 100, POINTS)
    (tmp_path / "a.las").write_bytes(content_of(data, False))
    columns = read_cloud(tmp_path / "a.las").with_normals(normals())
    for suffix in (".las", ".laz"):
        write_cloud(tmp_path / f"b{suffix}", columns)
        np.testing.assert_array_equal(read_cloud(tmp_path / f"b{suffix}").table["x_t"], data["x_t"])
    data.scanner_channel = np.arange(POINTS) % 2
    (tmp_path / "a.las").write_bytes(content_of(data, False))
    columns = read_cloud(tmp_path / "a.las").with_normals(normals())
    with pytest.raises(UserError, match=r"c\.laz: can't be written as LAS: the compressor would garble wavepacket"):
        write_cloud(tmp_path / "c.laz", columns)
    assert not (tmp_path / "c.laz").exists()


def test_waveforms_are_not_dropped_silently(tmp_path):
    content = bytearray(content_of(survey("1.3", 5), False))
    content[6] |= 2  # the global encoding's bit for waveforms in the file
    (tmp_path / "a.las").write_bytes(content)
    columns = read_cloud(tmp_path / "a.las").with_normals(normals())
    with pytest.raises(UserError, match=r"a\.las: waveforms within a LAS file can't be written back"):
        write_cloud(tmp_path / "a.las", columns)
    write_cloud(tmp_path / "a.ply", columns)


def test_other_kinds_of_files_name_the_coordinate_system_as_left_out(tmp_path):
    path = tmp_path / "a.laz"
    path.write_bytes(content_of(survey(extra=(laspy.ExtraBytesParams("Amplitude", "i2"),)), True))
    assert unkept(tmp_path / "b.ply", read_cloud(path)) == ("coordinate system", "other records")
    assert unkept(tmp_path / "b.las", read_cloud(path)) == ()
    bare = survey("1.2", 3)
    bare.header.vlrs.clear()
    path.write_bytes(content_of(bare, True))
    assert read_cloud(path).other_content == ()
