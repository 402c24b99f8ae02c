"""Writes recordings of every kind for the tests, and reads them in this process, without the child's limits."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from PIL import Image
from rosbags.rosbag1 import Writer as Rosbag1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Rosbag2
from rosbags.typesys import Stores, get_typestore

from hoigen.sources.recording import RecordingOptions
from hoigen.sources.recording.child import open_source
from hoigen.sources.recording.instants import chosen
from hoigen.sources.recording.options import Damaged, NotRead

SIZE = (96, 64)


def picture(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """[H,W,3] uint8: coarse noise whose place and brightness tell the number, also after a codec."""
    width, height = size
    noise = np.random.default_rng(7).integers(0, 160, (height // 8, width // 8, 3)).astype(np.uint8)
    coarse = np.roll(noise, number, axis=1).repeat(8, 0).repeat(8, 1)[:height, :width]
    return coarse + np.uint8(5 * (number % 16))


def shades(count: int, width: int = 60, height: int = 40) -> np.ndarray:
    """[T,H,W,3] uint8: plain pictures, each of another grey, so that one sees which is which."""
    greys = (20 + 5 * np.arange(count)).astype(np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (count, height, width, 3)).copy()


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    stamps_ms: Iterable[int] = range(0, 100_000, 125),
    *,
    mux: dict[str, str] | None = None,
    codec: str = 'libx264',
    **encoder: str,
) -> Path:
    """A video of [H,W,3] uint8 frames at these times.

    encoder: options of the codec; without any, fine images with a key frame in every four.
    """
    with av.open(str(path), 'w', options=mux or {}) as file:
        stream = file.add_stream(codec, rate=30, options=encoder or {'crf': '10', 'g': '4'})
        stream.pix_fmt, stream.codec_context.time_base = 'yuv420p', Fraction(1, 1000)
        for image, stamp in zip(frames, stamps_ms, strict=False):
            if not stream.codec_context.is_open:
                stream.height, stream.width = image.shape[:2]
            frame = av.VideoFrame.from_ndarray(image, format='rgb24')
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return path


def draw_video(path: Path, stamps_ms: Sequence[int], size: tuple[int, int] = SIZE, **options: Any) -> Path:
    """A video of :func:`picture` at these times; ``options`` of :func:`write_video`."""
    return write_video(path, (picture(number, size) for number in range(len(stamps_ms))), stamps_ms, **options)


def write_jpegs(path: Path, sizes: list[tuple[int, int]]) -> Path:
    """A motion JPEG video whose frames have these sizes."""
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('mjpeg', rate=30)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], 'yuvj420p'
        for number, size in enumerate(sizes):
            held = io.BytesIO()
            Image.fromarray(picture(number, size)).save(held, 'JPEG')
            packet = av.Packet(held.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = stream, number, number, Fraction(1, 30)
            packet.is_keyframe = True
            file.mux(packet)
    return path


def write_growing_video(path: Path, sizes: list[tuple[int, int]], each: int) -> Path:
    """H.264 whose stream itself goes from size to size after ``each`` frames at 25 Hz, as some cameras write it."""
    with av.open(str(path), 'w') as file:
        stream = file.add_stream('libx264', rate=25)
        stream.width, stream.height, stream.pix_fmt = *sizes[0], 'yuv420p'
        stream.codec_context.options = {'bf': '0'}
        for part, size in enumerate(sizes):
            encoder = av.CodecContext.create('libx264', 'w')
            encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = *size, 'yuv420p', Fraction(1, 25)
            encoder.options = {'x264-params': 'repeat-headers=1:annexb=1', 'bf': '0'}
            for number in range(part * each, (part + 1) * each):
                frame = av.VideoFrame.from_ndarray(picture(number, size), format='rgb24')
                frame.pts, frame.time_base = number, Fraction(1, 25)
                _mux(file, stream, encoder.encode(frame))
            _mux(file, stream, encoder.encode(None))
    return path


def _mux(file: Any, stream: Any, packets: list[Any]) -> None:
    for packet in packets:
        packet.stream = stream
        file.mux(packet)


def turn_quarter(path: Path) -> None:
    """Make an mp4 say that it is to be shown turned by a quarter, as phones do."""
    data = bytearray(path.read_bytes())
    matrix = data.find(b'tkhd') + 44
    data[matrix : matrix + 36] = struct.pack('>9i', 0, 65536, 0, -65536, 0, 0, SIZE[1] << 16, 0, 1 << 30)
    path.write_bytes(data)


def write_rgbd(
    folder: Path, rgb: np.ndarray, depth_m: np.ndarray, K: np.ndarray, names: Sequence[str] | Sequence[float]
) -> Path:
    """An RGB-D folder: PNG images, depth in millimetres (0 unknown), a calibration; ``names`` may be stamps in s."""
    for name in ('rgb', 'depth'):
        (folder / name).mkdir(parents=True)
    for image, depth, name in zip(rgb, depth_m, names, strict=True):
        file = f'{name if isinstance(name, str) else format(name, ".6f")}.png'
        cv2.imwrite(str(folder / 'rgb' / file), image[..., ::-1])
        cv2.imwrite(str(folder / 'depth' / file), np.nan_to_num(np.rint(depth * 1000)).astype(np.uint16))
    height, width = rgb.shape[1:3]
    held = {'fx': K[0, 0], 'fy': K[1, 1], 'cx': K[0, 2], 'cy': K[1, 2], 'width': width, 'height': height}
    write_calibration(folder, (width, height), **held)
    return folder


def draw_rgbd(folder: Path, names: Sequence[str], *, size: tuple[int, int] = SIZE, depth_mm: int = 800) -> Path:
    """The same of :func:`picture`, with depth that tells the number and is unknown in one corner."""
    depth_m = np.stack([np.full(size[::-1], (depth_mm + number) / 1000) for number in range(len(names))])
    depth_m[:, :8, :8] = np.nan
    K = np.array([[100.0, 0, (size[0] - 1) / 2], [0, 101.0, (size[1] - 1) / 2], [0, 0, 1]])
    return write_rgbd(folder, np.stack([picture(number, size) for number in range(len(names))]), depth_m, K, names)


def write_calibration(folder: Path, size: tuple[int, int], **changed: float) -> None:
    values = {'fx': 100.0, 'fy': 101.0, 'cx': (size[0] - 1) / 2, 'cy': (size[1] - 1) / 2} | changed
    (folder / 'calibration.json').write_text(json.dumps(values))


class BagFile:
    """Writes a bag of one ``kind``: 'mcap', 'sqlite3' or 'ros1'; stamps in ms. packed: with compressed chunks, or
    of rosbag2 what else is compressed: 'file' or 'message'."""

    def __init__(self, path: Path, kind: str, *, packed: bool | str = False) -> None:
        self.ros1 = kind == 'ros1'
        self.types = get_typestore(Stores.ROS1_NOETIC if self.ros1 else Stores.ROS2_KILTED)
        self.writer: Any = (
            Rosbag1(path) if self.ros1 else Rosbag2(path, version=9, storage_plugin=StoragePlugin[kind.upper()])
        )
        if packed and self.ros1:
            self.writer.set_compression(Rosbag1.CompressionFormat.LZ4)
        elif packed:
            mode = CompressionMode.STORAGE if packed is True else CompressionMode[str(packed).upper()]
            self.writer.set_compression(mode, CompressionFormat.ZSTD)
        self.connections: dict[str, Any] = {}

    def __enter__(self) -> BagFile:
        self.writer.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.writer.close()

    def add(self, topic: str, message: Any, log_ms: int) -> None:
        if topic not in self.connections:
            self.connections[topic] = self.writer.add_connection(topic, message.__msgtype__, typestore=self.types)
        serialize = self.types.serialize_ros1 if self.ros1 else self.types.serialize_cdr
        self.writer.write(self.connections[topic], log_ms * 1_000_000, serialize(message, message.__msgtype__))

    def image(
        self,
        topic: str,
        pixels: np.ndarray,
        encoding: str,
        stamp_ms: int,
        *,
        log_ms: int | None = None,
        frame: str = 'camera',
    ) -> None:
        image = self.types.types['sensor_msgs/msg/Image']
        height, width = pixels.shape[:2]
        data = np.ascontiguousarray(pixels).view(np.uint8).reshape(-1)
        self.add(
            topic,
            image(self._header(stamp_ms, frame), height, width, encoding, 0, len(data) // height, data),
            stamp_ms if log_ms is None else log_ms,
        )

    def compressed(self, topic: str, data: bytes, form: str, stamp_ms: int) -> None:
        image = self.types.types['sensor_msgs/msg/CompressedImage']
        self.add(topic, image(self._header(stamp_ms, 'camera'), form, np.frombuffer(data, np.uint8)), stamp_ms)

    def info(
        self,
        topic: str,
        K: np.ndarray,
        size: tuple[int, int],
        stamp_ms: int,
        D: tuple[float, ...] = (),
        *,
        log_ms: int | None = None,
    ) -> None:
        roi = self.types.types['sensor_msgs/msg/RegionOfInterest'](0, 0, 0, 0, False)
        P = np.concatenate([K, np.zeros((3, 1))], axis=1)
        matrices = {'d': np.array(D), 'k': K.ravel(), 'r': np.eye(3).ravel(), 'p': P.ravel()}
        if self.ros1:
            matrices = {name.upper(): value for name, value in matrices.items()}
        self.add(
            topic,
            self.types.types['sensor_msgs/msg/CameraInfo'](
                header=self._header(stamp_ms, 'camera'),
                height=size[1],
                width=size[0],
                distortion_model='plumb_bob',
                binning_x=0,
                binning_y=0,
                roi=roi,
                **matrices,
            ),
            stamp_ms if log_ms is None else log_ms,
        )

    def _header(self, stamp_ms: int, frame: str) -> Any:
        stamp = self.types.types['builtin_interfaces/msg/Time'](stamp_ms // 1000, stamp_ms % 1000 * 1_000_000)
        first = {'seq': 0} if self.ros1 else {}
        return self.types.types['std_msgs/msg/Header'](**first, stamp=stamp, frame_id=frame)


class Read:
    """What :func:`read_here` found. damaged, not_read: frames left out, by their position. segments: of the frames."""

    def __init__(self) -> None:
        self.stamps_ms, self.rgb, self.depth_m = list[float](), list[np.ndarray](), list[np.ndarray | None]()
        self.damaged, self.not_read, self.faults, self.says = list[int](), list[int](), list[str](), ''
        self.segments = list[int]()


def read_here(path: Path, **options: Any) -> Read:
    """All instants that the options choose, decoded in this process at the recording's own size."""
    asked, read = RecordingOptions(**options), Read()
    source = open_source(path, asked)
    for place, instant in enumerate(chosen(source.instants(asked.start_s), source.span.first_ns, asked, source.faults)):
        try:
            rgb, depth = instant.picture(), None if instant.depth_m is None else instant.depth_m()
        except (Damaged, NotRead) as error:
            (read.damaged if isinstance(error, Damaged) else read.not_read).append(place)
            continue
        read.stamps_ms.append(instant.stamp_ns / 1e6)
        read.rgb.append(rgb)
        read.segments.append(instant.segment)
        read.depth_m.append(depth)
    read.faults, read.says = source.faults.told, source.says
    return read


def grey_difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b).mean())
