"""What the policy node takes in: readings, and for some models the landmarks and the shape of the same image."""

import time
from collections.abc import Callable

import builtin_interfaces.msg
import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, JointState, PointCloud2

from rena_ros.base.arrays import FloatArray
from rena_ros.base.errors import RenaError
from rena_ros.behaviour.command_stamps import CommandStamps
from rena_ros.behaviour.landmark_pairing import LandmarkPairing
from rena_ros.nodes.landmark_clouds import landmarks_of
from rena_ros.nodes.messages import nanoseconds
from rena_ros.perception.face_reader import READING_NAMES, FaceReading
from rena_ros.perception.landmark_frame import aligned

# features (55,), landmarks (478, 3), aligned, or None where the model does not read them, the image's stamp
Act = Callable[[FloatArray, FloatArray | None, builtin_interfaces.msg.Time], None]


class ReadingIntake:
    """Hands on each reading once it is whole. ``stamps`` learns the stamp of every image, with a face or without."""

    def __init__(self, needs_landmarks: bool, act: Act, refuse: Callable[[str], None], stamps: CommandStamps):
        """``refuse``: takes the reason where something that came cannot be acted upon."""
        self._needs_landmarks, self._act, self._refuse, self._stamps = needs_landmarks, act, refuse, stamps
        self._pairing = LandmarkPairing()
        self._aspect: float | None = None  # width / height of the images

    @property
    def skipped(self) -> int:
        """Readings so far whose landmarks did not come before the next one."""
        return self._pairing.skipped

    def subscribe(self, node: Node) -> None:
        """Take readings, and what belongs to them, from topics."""
        node.create_subscription(JointState, "face/blendshapes", self.on_reading, QoSProfile(depth=1))
        if self._needs_landmarks:
            newest = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
            node.create_subscription(PointCloud2, "face/landmarks", self.on_landmarks, newest)
            node.create_subscription(CameraInfo, "camera/camera_info", self.on_info, newest)

    def follow(self, reading: FaceReading | None, aspect: float, stamp: builtin_interfaces.msg.Time) -> None:
        """Take a reading from the same process; ``aspect``: width / height of its image. None: no face is present."""
        self._stamps.note(nanoseconds(stamp), time.monotonic())
        if reading is not None:
            self._aspect = aspect
            self._whole(reading.features, reading.landmarks if self._needs_landmarks else None, stamp)

    def on_reading(self, message: JointState) -> None:
        """Take one reading. A message without names says that no face is present."""
        stamp = message.header.stamp
        self._stamps.note(nanoseconds(stamp), time.monotonic())
        if not message.name:
            self._pairing.no_face()
            return  # absence begins after a time: see the node's on_tick
        if tuple(message.name) != READING_NAMES or len(message.position) != len(READING_NAMES):
            self._refuse("its names are not the 55 of a reading")
            return
        features = np.asarray(message.position, np.float32)
        if not self._needs_landmarks:
            self._whole(features, None, stamp)
        elif (landmarks := self._pairing.reading(nanoseconds(stamp), features)) is not None:
            self._whole(features, landmarks, stamp)

    def on_landmarks(self, cloud: PointCloud2) -> None:
        """Take the landmarks of an image; its reading is handed on if it waits for them."""
        try:
            landmarks = landmarks_of(cloud)
        except RenaError as error:
            self._refuse(str(error))
            return
        features = self._pairing.landmarks(nanoseconds(cloud.header.stamp), landmarks)
        if features is not None:
            self._whole(features, landmarks, cloud.header.stamp)

    def on_info(self, info: CameraInfo) -> None:
        """Note the shape of the images."""
        if info.width and info.height:
            self._aspect = info.width / info.height

    def _whole(self, features: FloatArray, landmarks: FloatArray | None, stamp: builtin_interfaces.msg.Time) -> None:
        if landmarks is not None:
            if self._aspect is None:
                self._refuse("the shape of its image is not known: publish camera/camera_info beside the images")
                return
            landmarks = aligned(landmarks[None], self._aspect)[0]
        self._act(features, landmarks, stamp)
