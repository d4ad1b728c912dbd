"""Writes bags of ROS 1 through rosbags, message by message, with its own serialisation of every field."""

import numpy as np
from rosbags.rosbag1 import Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

EVENT = "uint16 x\nuint16 y\ntime ts\nbool polarity\n"
ARRAY = "std_msgs/Header header\nuint32 height\nuint32 width\ndvs_msgs/Event[] events\n"
IN_A_MESSAGE = 700


def store():
    found = get_typestore(Stores.ROS1_NOETIC)
    for text, name in ((EVENT, "dvs_msgs/msg/Event"), (ARRAY, "dvs_msgs/msg/EventArray")):
        found.register(get_types_from_msg(text, name))
    return found


def time_of(types, microseconds):
    return types.types["builtin_interfaces/msg/Time"](int(microseconds) // 10**6, int(microseconds) % 10**6 * 1000)


def message(types, events, number=0, **header):
    event = types.types["dvs_msgs/msg/Event"]
    columns = zip(*(getattr(events, name).tolist() for name in "xytp"), strict=True)
    found = [event(x, y, time_of(types, t), bool(p)) for x, y, t, p in columns]
    stamp = time_of(types, events.t[0] if len(events) else 0)
    head = types.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera", **header)
    return types.types["dvs_msgs/msg/EventArray"](head, events.height, events.width, np.array(found, object))


def messages(events):
    for begin in range(0, max(len(events), 1), IN_A_MESSAGE):
        yield events[begin : begin + IN_A_MESSAGE]


def write(path, events, compression=None, topic="/dvs/events", chunk=1 << 20):
    types = store()
    bag = Writer(path)
    bag.chunk_threshold = chunk
    if compression is not None:
        bag.set_compression(compression)
    with bag:
        connection = bag.add_connection(topic, "dvs_msgs/msg/EventArray", typestore=types)
        for number, part in enumerate(messages(events)):
            raw = types.serialize_ros1(message(types, part, seq=number), "dvs_msgs/msg/EventArray")
            bag.write(connection, 10**9 + 1000 * number, raw)
