"""Bags of ROS: how they may be stored, packets of a camera's own words, pictures, and topics."""

import numpy as np
import pytest
from encode_evt3 import words as evt3_words
from encode_ros1 import message, time_of
from encode_ros1 import store as ros1_store
from encode_ros1 import write as write_ros1
from encode_ros2 import store as ros2_store
from encode_ros2 import write_folder
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import get_types_from_msg

from spikelab.events import EventArray
from spikelab.events.files import EventFileError, open_events, read_events, recognise

PACKET = """std_msgs/Header header
uint32 height
uint32 width
uint64 seq
uint64 time_base
string encoding
bool is_bigendian
uint8[] events
"""


def recording(count, seed=0, width=320, height=240):
    rng = np.random.default_rng(seed)
    t = np.sort(rng.integers(0, 20_000_000, count))
    x, y = rng.integers(0, width, count), rng.integers(0, height, count)
    return EventArray(x, y, t, rng.integers(0, 2, count), width, height)


def write_messages(path, kind, found):
    """A bag of messages: (topic, type, what makes the message of the types)."""
    types = ros1_store() if kind == 1 else ros2_store()
    types.register(get_types_from_msg(PACKET, "event_camera_msgs/msg/EventPacket"))
    bag = Ros1Writer(path) if kind == 1 else Ros2Writer(path, version=9, storage_plugin=StoragePlugin.SQLITE3)
    serialise = types.serialize_ros1 if kind == 1 else types.serialize_cdr
    with bag:
        connections = {}
        for number, (topic, name, make) in enumerate(found):
            if topic not in connections:
                connections[topic] = bag.add_connection(topic, name, typestore=types)
            bag.write(connections[topic], 1000 * number, serialise(make(types, kind), name))


def header(types, kind, microseconds=0):
    number = {"seq": 0} if kind == 1 else {}
    stamp = time_of(types, microseconds)
    return types.types["std_msgs/msg/Header"](stamp=stamp, frame_id="some camera", **number)


def packet(data, encoding, seq, time_base=0, big=False, size=(720, 1280)):
    def make(types, kind):
        raw = np.frombuffer(data, np.uint8)
        kinds = types.types["event_camera_msgs/msg/EventPacket"]
        return kinds(header(types, kind), *size, seq, time_base, encoding, big, raw)

    return "/camera/events", "event_camera_msgs/msg/EventPacket", make


def picture(topic, pixels, encoding, microseconds, padding=0):
    def make(types, kind):
        rows = pixels.reshape(len(pixels), -1).view(np.uint8)
        rows = np.pad(rows, ((0, 0), (0, padding)))
        height, width = pixels.shape[:2]
        kinds = types.types["sensor_msgs/msg/Image"]
        return kinds(header(types, kind, microseconds), height, width, encoding, 0, rows.shape[1], rows.ravel())

    return topic, "sensor_msgs/msg/Image", make


def array(topic, events):
    def make(types, kind):
        return message(types, events, **({"seq": 0} if kind == 1 else {}))

    return topic, "dvs_msgs/msg/EventArray", make


@pytest.mark.parametrize("compression", [None, "BZ2", "LZ4"])
def test_compressed_bags_of_ros1(tmp_path, compression):
    events = recording(3000)
    write_ros1(tmp_path / "x", events, compression and Ros1Writer.CompressionFormat[compression])
    assert recognise(tmp_path / "x") == "ros1"
    assert read_events(tmp_path / "x") == events


@pytest.mark.parametrize("plugin", list(StoragePlugin))
@pytest.mark.parametrize("compression", [None, "MESSAGE", "FILE", "STORAGE"])
def test_folders_of_ros2(tmp_path, plugin, compression):
    if compression == "STORAGE" and plugin is StoragePlugin.SQLITE3:
        pytest.skip("SQLite does not compress")
    events = recording(3000)
    write_folder(tmp_path / "x", events, plugin, compression)
    assert recognise(tmp_path / "x") == "ros2"
    assert read_events(tmp_path / "x") == events


@pytest.mark.parametrize("plugin", list(StoragePlugin))
def test_single_files_of_ros2_whatever_they_are_called(tmp_path, plugin):
    events = recording(3000)
    write_folder(tmp_path / "x", events, plugin)
    (single,) = (path for path in (tmp_path / "x").iterdir() if path.name != "metadata.yaml")
    single = single.rename(tmp_path / "what? 100%23 #1")
    assert recognise(single) == "ros2"
    assert read_events(single) == events


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_arrays_of_few_events(tmp_path, kind, count):
    """CDR aligns the first event in another way than the others."""
    events = recording(count)
    write_messages(tmp_path / "x", kind, [array("/events", events)])
    assert read_events(tmp_path / "x") == events


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("big", [False, True])
def test_packets_of_evt3_go_on_from_one_to_the_next(tmp_path, kind, big):
    events = recording(4000, width=1280, height=720)
    data = evt3_words(events).astype(">u2" if big else "<u2").tobytes()
    found = [
        packet(data[place : place + 1002], "evt3", number, big=big)
        for number, place in enumerate(range(0, len(data), 1002))
    ]
    write_messages(tmp_path / "x", kind, found)
    assert read_events(tmp_path / "x") == events


def test_triggers_in_packets(tmp_path):
    words = np.array([0x8001, 0x6001, 0xA101, 7, 0x2001, 0x6003, 0xA200], "<u2").tobytes()
    write_messages(tmp_path / "x", 1, [packet(words[:8], "evt3", 0), packet(words[8:], "evt3", 1)])
    with open_events(tmp_path / "x") as file:
        found = file.triggers()
    assert [found.t.tolist(), found.channel.tolist(), found.rising.tolist()] == [
        [0x1001, 0x1003],
        [1, 2],
        [True, False],
    ]


@pytest.mark.parametrize("kind", [1, 2])
def test_packets_of_whole_events(tmp_path, kind):
    events = recording(500)
    # times of 32 bits in nanoseconds, from a base
    events = events[: np.searchsorted(events.t, 4_000_000)]
    base = 1_500_000_000_000_000_900
    words = events.p.astype("u8") << 63 | events.y.astype("u8") << 48 | events.x.astype("u8") << 32
    words = (words | (events.t * 1000).astype("u8")).astype("<u8")
    write_messages(tmp_path / "x", kind, [packet(words.tobytes(), "mono", 0, base, size=(240, 320))])
    found = read_events(tmp_path / "x")
    # parts of a microsecond are cut off
    assert found == events.shift(base // 1000)


def test_packets_that_were_lost_are_told(tmp_path):
    words = np.array([0x8001, 0x6001, 7, 0x2001], "<u2").tobytes()
    write_messages(tmp_path / "x", 2, [packet(words, "evt3", number) for number in (4, 5, 9)])
    with pytest.warns(UserWarning, match="3 packets were lost before they were recorded"):
        assert len(read_events(tmp_path / "x")) == 3


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"\0" * 8, "libcaer_cmp", "packets in the encoding 'libcaer_cmp'"),
        (b"\0" * 3, "evt3", "packet 1 has 3 bytes, not a multiple of 2"),
        (b"\x23\x91", "evt3", "0x9123 in packet 1 is no word of EVT3"),
    ],
)
def test_packets_that_make_no_sense_end_the_events(tmp_path, data, encoding, message):
    words = np.array([0x8001, 0x6001, 7, 0x2001], "<u2").tobytes()
    write_messages(tmp_path / "x", 1, [packet(words, "evt3", 0), packet(data, encoding, 1)])
    with pytest.raises(EventFileError, match=message):
        read_events(tmp_path / "x")
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert len(read_events(tmp_path / "x", damaged="keep")) == 1


@pytest.mark.parametrize("kind", [1, 2])
def test_topics_are_named_where_there_are_several(tmp_path, kind):
    left, right = recording(50, 1), recording(60, 2)
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    found = [array("/left/events", left), array("/right/events", right)]
    found += [picture("/left/image_raw", grey, "mono8", 7), picture("/right/image_raw", grey + 1, "mono8", 8)]
    write_messages(tmp_path / "x", kind, found)
    with pytest.raises(EventFileError, match="/left/events, /right/events; name one with stream="):
        open_events(tmp_path / "x")
    with pytest.raises(EventFileError, match="no stream '/middle'"):
        open_events(tmp_path / "x", stream="/middle")
    for stream, events, first, t in [
        ("/left/events", left, 0, 7),
        ("/right/events", right, 1, 8),
        ("/right/events,/left/image_raw", right, 0, 7),
    ]:
        with open_events(tmp_path / "x", stream=stream) as file:
            assert file.read() == events
            (frame,) = file.frames()
            assert [int(frame.image[0, 0]), frame.t] == [first, t]


def test_pictures_in_their_encodings(tmp_path):
    colours = np.arange(36, dtype=np.uint8).reshape(3, 4, 3)
    deep = np.arange(12, dtype="<u2").reshape(3, 4) * 5000
    found = [
        array("/dvs/events", recording(5)),
        picture("/dvs/image_raw", deep, "mono16", 1),
        picture("/dvs/image_raw", colours, "bgr8", 2, padding=5),
        picture("/dvs/image_raw", colours, "rgb8", 3),
    ]
    write_messages(tmp_path / "x", 1, [*found, picture("/dvs/image_raw", colours[..., 0].copy(), "bayer_rggb8", 4)])
    with open_events(tmp_path / "x", damaged="keep") as file, pytest.warns(UserWarning, match="1 in 'bayer_rggb8'"):
        frames = list(file.frames())
    for frame, wanted in zip(frames, (deep, colours[..., ::-1], colours), strict=True):
        np.testing.assert_array_equal(frame.image, wanted)


def test_a_bag_without_events(tmp_path):
    write_messages(tmp_path / "x", 1, [picture("/image", np.zeros((2, 2), np.uint8), "mono8", 0)])
    with pytest.raises(EventFileError, match=r"has no topic of events; such messages are dvs_msgs/EventArray"):
        read_events(tmp_path / "x")


@pytest.mark.parametrize("compression", [None, "BZ2", "LZ4"])
def test_a_bag_that_was_never_closed(tmp_path, compression):
    """It has no index; all whole chunks are read all the same."""
    events = recording(20_000)
    write_ros1(tmp_path / "x", events, compression and Ros1Writer.CompressionFormat[compression], chunk=30_000)
    content = (tmp_path / "x").read_bytes()
    place = content.index(b"index_pos=") + len(b"index_pos=")
    unindexed = content[:place] + bytes(8) + content[place + 8 :]
    (tmp_path / "x").write_bytes(unindexed)
    with pytest.raises(EventFileError, match=f"byte {len(content)}: the bag was never closed"):
        read_events(tmp_path / "x")
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert read_events(tmp_path / "x", damaged="keep") == events
    (tmp_path / "x").write_bytes(unindexed[: len(content) // 2])
    with pytest.raises(EventFileError, match=r"byte \d+: the bag was never closed.*bytes, of which"):
        read_events(tmp_path / "x")
    with pytest.warns(UserWarning, match="what is before it was read"):
        kept = read_events(tmp_path / "x", damaged="keep")
    assert len(events) // 4 < len(kept) < len(events) * 3 // 4
    assert kept == events[: len(kept)]


def test_a_message_that_is_cut_short(tmp_path):
    """What came before is kept."""
    events = recording(2000)
    write_ros1(tmp_path / "x", events)
    content = bytearray((tmp_path / "x").read_bytes())
    place = content.rindex(b"camera") + len(b"camera") + 8
    content[place : place + 4] = (10**9).to_bytes(4, "little")
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(EventFileError, match=r"message 2 of /dvs/events: .* too few for its content"):
        read_events(tmp_path / "x")
    with pytest.warns(UserWarning, match="what is before it was read"):
        assert read_events(tmp_path / "x", damaged="keep") == events[:1400]
