"""Writes bags of ROS 2 through rosbags: a single file in MCAP, or a folder."""

import shutil

from encode_ros1 import ARRAY, EVENT, message, messages
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore


def store():
    found = get_typestore(Stores.ROS2_HUMBLE)
    event = EVENT.replace("time ts", "builtin_interfaces/Time ts")
    for text, name in ((event, "dvs_msgs/msg/Event"), (ARRAY, "dvs_msgs/msg/EventArray")):
        found.register(get_types_from_msg(text, name))
    return found


def write(path, events):
    folder = path.with_name(path.name + "_folder")
    write_folder(folder, events, StoragePlugin.MCAP)
    shutil.move(next(folder.glob("*.mcap")), path)
    shutil.rmtree(folder)


def write_folder(folder, events, plugin, compression=None, topic="/dvs/events"):
    types = store()
    bag = Writer(folder, version=9, storage_plugin=plugin)
    if compression is not None:
        bag.set_compression(CompressionMode[compression], CompressionFormat.ZSTD)
    with bag:
        connection = bag.add_connection(topic, "dvs_msgs/msg/EventArray", typestore=types)
        for number, part in enumerate(messages(events)):
            raw = types.serialize_cdr(message(types, part), "dvs_msgs/msg/EventArray")
            bag.write(connection, 10**9 + 1000 * number, raw)
