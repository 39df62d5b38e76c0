"""Stands for ``torch.utils.tensorboard`` where that is not installed: writes numbers as TensorBoard's event files."""

import os
import struct
import time


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def message(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


class SummaryWriter:
    def __init__(self, log_dir):
        os.makedirs(log_dir, exist_ok=True)
        self.file = open(f"{log_dir}/events.out.tfevents.{time.time():.0f}.0", "wb")  # noqa: SIM115
        self.write(message(3, b"brain.Event:2"))

    def add_scalar(self, tag, value, step):
        number = message(1, tag.encode()) + b"\x15" + struct.pack("<f", value)
        self.write(b"\x10" + varint(step) + message(5, message(1, number)))

    def write(self, event):
        event = b"\x09" + struct.pack("<d", time.time()) + event
        length = struct.pack("<Q", len(event))
        self.file.write(length + crc32c(length) + event + crc32c(event))

    def close(self):
        self.file.close()
