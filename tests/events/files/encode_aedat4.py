"""Writes AEDAT 4 by the builder of flatbuffers' own library: events among pictures, triggers and motion samples."""

import struct

import flatbuffers
import lz4.frame
import numpy as np
import zstandard

WIDTH, HEIGHT = 346, 260
COMPRESS = {0: bytes, 1: lz4.frame.compress, 2: lz4.frame.compress, 3: zstandard.compress, 4: zstandard.compress}
STREAMS = [(0, "EVTS", "DAVIS346_1", 346, 260), (1, "FRME", "DAVIS346_1", 346, 260), (2, "IMUS", "DAVIS346_1", 0, 0),
           (3, "TRIG", "DAVIS346_1", 0, 0)]  # fmt: skip
NAMES = {"EVTS": "events", "FRME": "frames", "IMUS": "imu", "TRIG": "triggers"}


def described(streams):
    nodes = []
    for number, kind, camera, width, height in streams:
        sides = (
            f'<attr key="sizeX" type="int">{width}</attr><attr key="sizeY" type="int">{height}</attr>' if width else ""
        )
        nodes.append(
            f'<node name="{number}" path="/mainloop/Recorder/outInfo/{number}/">'
            f'<attr key="originalOutputName" type="string">{NAMES[kind]}</attr>'
            f'<attr key="typeIdentifier" type="string">{kind}</attr>'
            f'<node name="info">{sides}<attr key="source" type="string">{camera}</attr></node></node>'
        )
    return f'<dv version="2.0"><node name="outInfo" path="/">{"".join(nodes)}</node></dv>'


def finished(builder, root, kind):
    builder.FinishSizePrefixed(root, file_identifier=kind)
    return bytes(builder.Output())


def header(compression, table, description):
    builder = flatbuffers.Builder()
    builder.ForceDefaults(True)
    text = builder.CreateString(description)
    builder.StartObject(3)
    builder.PrependInt32Slot(0, compression, 0)
    builder.PrependInt64Slot(1, table, -1)
    builder.PrependUOffsetTRelativeSlot(2, text, 0)
    return b"#!AER-DAT4.0\r\n" + finished(builder, builder.EndObject(), b"IOHE")


def holding(builder, elements):
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, elements, 0)
    return builder.EndObject()


def events_packet(x, y, t, p):
    builder = flatbuffers.Builder(1 << 16)
    builder.StartVector(16, len(x), 8)
    for row in reversed(range(len(x))):
        builder.Prep(8, 16)
        builder.Pad(3)
        builder.PrependBool(bool(p[row]))
        builder.PrependInt16(int(y[row]))
        builder.PrependInt16(int(x[row]))
        builder.PrependInt64(int(t[row]))
    return finished(builder, holding(builder, builder.EndVector()), b"EVTS")


def frame_packet(pixels, t, exposure, kind, newer=False):
    builder = flatbuffers.Builder(1 << 16)
    content = builder.CreateByteVector(pixels.tobytes())
    builder.StartObject(13)
    builder.PrependInt64Slot(0, t, 0)
    if newer:
        builder.PrependInt64Slot(11, exposure[1] - exposure[0], 0)
    else:
        builder.PrependInt64Slot(3, exposure[0], 0)
        builder.PrependInt64Slot(4, exposure[1], 0)
    builder.PrependInt8Slot(5, kind, 0)
    builder.PrependInt16Slot(6, pixels.shape[1], 0)
    builder.PrependInt16Slot(7, pixels.shape[0], 0)
    builder.PrependUOffsetTRelativeSlot(10, content, 0)
    return finished(builder, builder.EndObject(), b"FRME")


def triggers_packet(found):
    builder = flatbuffers.Builder()
    entries = []
    for t, kind in found:
        builder.StartObject(2)
        builder.PrependInt64Slot(0, t, 0)
        builder.PrependInt8Slot(1, kind, 0)
        entries.append(builder.EndObject())
    builder.StartVector(4, len(entries), 4)
    for entry in reversed(entries):
        builder.PrependUOffsetTRelative(entry)
    return finished(builder, holding(builder, builder.EndVector()), b"TRIG")


def table_of(places):
    builder = flatbuffers.Builder()
    entries = []
    for offset, number, size, count, t_start, t_end in places:
        builder.StartObject(5)
        builder.PrependInt64Slot(0, offset, 0)
        builder.Prep(4, 8)
        builder.PrependInt32(size)
        builder.PrependInt32(number)
        builder.PrependStructSlot(1, builder.Offset(), 0)
        builder.PrependInt64Slot(2, count, 0)
        builder.PrependInt64Slot(3, t_start, 0)
        builder.PrependInt64Slot(4, t_end, 0)
        entries.append(builder.EndObject())
    builder.StartVector(4, len(entries), 4)
    for entry in reversed(entries):
        builder.PrependUOffsetTRelative(entry)
    return finished(builder, holding(builder, builder.EndVector()), b"FTAB")


def write_packets(path, packets, compression=1, streams=STREAMS, with_table=True):
    """`packets` are tuples of stream, content, and times of the first and the last element."""
    begin = len(header(compression, 0, described(streams)))
    places, body = [], b""
    for number, content, t_start, t_end in packets:
        content = COMPRESS[compression](content)
        places.append((begin + len(body) + 8, number, len(content), 1, t_start, t_end))
        body += struct.pack("<ii", number, len(content)) + content
    table = COMPRESS[compression](table_of(places)) if with_table else b""
    place = begin + len(body) if with_table else -1
    path.write_bytes(header(compression, place, described(streams)) + body + table)


def write(path, events, compression=1, **options):
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    packets = [(1, frame_packet(picture, 5, (3, 7), 0), 5, 5), (3, triggers_packet([(5, 1)]), 5, 5)]
    for begin in range(0, len(events), 700):
        x, y, t, p = (column[begin : begin + 700] for column in (events.x, events.y, events.t, events.p))
        packets.append((0, events_packet(x, y, t, p), int(t[0]), int(t[-1])))
    write_packets(path, packets, compression, **options)
