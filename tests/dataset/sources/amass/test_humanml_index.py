"""HumanML3D's index: its lines, the frames they mean, and where recordings are found on disk."""

import numpy as np
import pytest

from dataset.sources.amass.humanml_index import IndexEntry, cut, find_source, read_humanact12, read_index
from utils.errors import InputError

HEADER = "source_path,start_frame,end_frame,new_name\n"


def index_file(folder, *lines):
    path = folder / "index.csv"
    path.write_text(HEADER + "".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def entry(source, start=0, end=10):
    return IndexEntry(source, start, end, "000000")


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_reads_published_lines(tmp_path):
    path = index_file(
        tmp_path,
        "./pose_data/KIT/3/kick_high_left02_poses.npy,0,117,000000.npy",
        "./pose_data/humanact12/humanact12/P11G01R02F1812T1847A0402.npy,0,-1,000001.npy",
        "./pose_data/ACCAD/Female1Running_c3d/C19 -  run to hop to walk_poses.npy,0,85,000034.npy",
        '"./pose_data/CMU/01/a, b_poses.npy",3,203,000035.npy',
        "",
    )
    entries = read_index(path)
    assert entries == [
        IndexEntry("KIT/3/kick_high_left02_poses", 0, 117, "000000"),
        IndexEntry("humanact12/humanact12/P11G01R02F1812T1847A0402", 0, -1, "000001"),
        IndexEntry("ACCAD/Female1Running_c3d/C19 -  run to hop to walk_poses", 0, 85, "000034"),
        IndexEntry("CMU/01/a, b_poses", 3, 203, "000035"),
    ]
    assert [item.dataset for item in entries] == ["KIT", "humanact12", "ACCAD", "CMU"]
    assert [item.is_humanact12 for item in entries] == [False, True, False, False]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("./pose_data/KIT/3/b_poses.npy,0,5", r"index\.csv:3: expected source_path,.* got 3 values"),
        ("./pose_data/KIT/3/b_poses.npy,0,x,2.npy", r"index\.csv:3: .*whole numbers, got '0', 'x'"),
        ("./pose_data/KIT/3/b_poses.npy,-1,5,2.npy", r"index\.csv:3: start_frame must not be negative"),
        ("./pose_data/KIT/3/b_poses.npy,0,5,1.npy", r"index\.csv:3: 1 is the name of line 2 too"),
        ("./pose_data/KIT/3/b_poses.npy,0,5,", r"index\.csv:3: new_name"),
        ("./pose_data/KIT/3/b_poses.npy,0,5,../2.npy", r"index\.csv:3: new_name"),
        ("./pose_data/KIT/../../b_poses.npy,0,5,2.npy", r"index\.csv:3: expected a path"),
        ("/etc/b_poses.npy,0,5,2.npy", r"index\.csv:3: expected a path"),
    ],
)
def test_bad_lines_are_named(tmp_path, line, message):
    with pytest.raises(InputError, match=message):
        read_index(index_file(tmp_path, "./pose_data/KIT/3/a_poses.npy,0,5,1.npy", line))


def test_bad_files_are_named(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_index(tmp_path / "absent.csv")
    (tmp_path / "other.csv").write_text("id,text\n")
    with pytest.raises(InputError, match=r"other\.csv:1: expected the columns source_path,.* got 'id,text'"):
        read_index(tmp_path / "other.csv")
    (tmp_path / "latin.csv").write_bytes(HEADER.encode() + b"\xe9,0,1,2.npy\n")
    with pytest.raises(InputError, match="UTF-8"):
        read_index(tmp_path / "latin.csv")


@pytest.mark.parametrize(
    ("source", "first"),
    [
        ("KIT/3/x_poses", 7),
        ("Eyes_Japan_Dataset/aita/x_poses", 67),
        ("MPI_HDM05/bk/x_poses", 67),
        ("TotalCapture/s1/x_poses", 27),
        ("MPI_Limits/03099/x_poses", 27),
        ("Transitions_mocap/mazen_c3d/x_poses", 17),
    ],
)
def test_frames_by_hand(source, first):
    joints = np.arange(100)[:, None, None] * np.ones((22, 3))
    part = cut(joints, entry(source, 7, 12))
    np.testing.assert_array_equal(part[:, 0, 0], np.arange(first, first + 5))


def test_an_end_beyond_the_recording_stops_at_its_last_frame():
    joints = np.arange(20)[:, None, None] * np.ones((22, 3))
    assert cut(joints, entry("KIT/3/x_poses", 15, 400))[:, 0, 0].tolist() == [15, 16, 17, 18, 19]
    assert cut(joints, entry("KIT/3/x_poses", 15, -2))[:, 0, 0].tolist() == [15, 16, 17]


def test_humanact12_is_taken_whole():
    joints = np.zeros((20, 22, 3))
    assert cut(joints, entry("humanact12/humanact12/P01", 0, -1)) is joints


@pytest.mark.parametrize(("source", "start", "end"), [("KIT/3/x_poses", 20, 30), ("KIT/3/x_poses", 9, 9)])
def test_an_empty_interval_is_named(source, start, end):
    with pytest.raises(InputError, match=rf"000000: frames {start} to {end} of {source} .*it has 20 frames"):
        cut(np.zeros((20, 22, 3)), entry(source, start, end))


def test_a_recording_shorter_than_what_is_dropped_is_named():
    with pytest.raises(InputError, match="first 60 are dropped"):
        cut(np.zeros((50, 22, 3)), entry("MPI_HDM05/bk/x_poses"))


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("KIT/3/a b_poses", "KIT/3/a b_poses.npz"),
        ("KIT/3/a_poses", "KIT/KIT/3/a_poses.npz"),
        ("BioMotionLab_NTroje/rub1/a_poses", "BMLrub/rub1/a_poses.npz"),
        ("BioMotionLab_NTroje/rub1/a_poses", "BMLrub/BioMotionLab_NTroje/rub1/a_poses.npz"),
        ("DFaust_67/5/a_poses", "DFaust/5/a_poses.npz"),
        ("MPI_HDM05/bk/a_poses", "HDM05/bk/a_poses.npz"),
        ("MPI_Limits/03099/a_poses", "PosePrior/03099/a_poses.npz"),
        ("SSM_synced/1/a_sync_poses", "SSM/1/a_sync_stageii.npz"),
        ("Transitions_mocap/mazen_c3d/a_poses", "Transitions/mazen_c3d/a_stageii.npz"),
        ("MPI_mosh/1/a_poses", "MoSh/1/a_poses.npz"),
        ("TCD_handMocap/1/a_poses", "TCDHands/1/a_poses.npz"),
        ("ACCAD/Male1General_c3d/General A1 - Stand_poses", "ACCAD/Male1General_c3d/General_A1_-_Stand_stageii.npz"),
        ("humanact12/humanact12/P01", "humanact12/humanact12/P01.npy"),
        ("humanact12/humanact12/P01", "humanact12/P01.npy"),
    ],
)
def test_recordings_are_found(tmp_path, source, file):
    touch(tmp_path, file, "KIT/3/other_poses.npz", "humanact12/humanact12/P02.npy")
    assert find_source(tmp_path, entry(source)) == tmp_path / file


def test_the_published_file_comes_first_and_doubt_is_an_error(tmp_path):
    touch(tmp_path, "KIT/3/a_poses.npz", "KIT/3/a_stageii.npz", "KIT/KIT/3/a_stageii.npz")
    assert find_source(tmp_path, entry("KIT/3/a_poses")) == tmp_path / "KIT/3/a_poses.npz"
    (tmp_path / "KIT/3/a_poses.npz").unlink()
    with pytest.raises(InputError, match="several files"):
        find_source(tmp_path, entry("KIT/3/a_poses"))


def test_a_missing_recording_says_what_was_tried(tmp_path):
    with pytest.raises(InputError) as caught:
        find_source(tmp_path, entry("MPI_Limits/03099/a_poses"))
    for tried in (
        "000000: MPI_Limits/03099/a_poses",
        " MPI_Limits/03099/a_poses.npz",
        "PosePrior/03099/a_poses.npz",
        "PosePrior/PosePrior/03099/a_stageii.npz",
    ):
        assert tried in str(caught.value)


def test_a_name_too_long_for_a_file_is_a_missing_recording(tmp_path):
    with pytest.raises(InputError, match=r"000000: KIT/3/x+_poses is not below"):
        find_source(tmp_path, entry(f"KIT/3/{'x' * 300}_poses"))


def test_humanact12_joints_lose_what_is_no_body_joint(tmp_path):
    joints = np.random.default_rng(0).normal(size=(5, 24, 3))
    np.save(tmp_path / "P01.npy", joints)
    np.testing.assert_array_equal(read_humanact12(tmp_path / "P01.npy"), joints[:, :22])
    for name, bad, message in (
        ("flat", np.zeros((5, 66)), r"got \(5, 66\)"),
        ("few", np.zeros((5, 21, 3)), r"got \(5, 21, 3\)"),
        ("none", np.zeros((0, 22, 3)), r"got \(0, 22, 3\)"),
        ("nan", np.full((5, 22, 3), np.nan), "NaN"),
    ):
        np.save(tmp_path / f"{name}.npy", bad)
        with pytest.raises(InputError, match=rf"{name}\.npy: .*{message}"):
            read_humanact12(tmp_path / f"{name}.npy")
