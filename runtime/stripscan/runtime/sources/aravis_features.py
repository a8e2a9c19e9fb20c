"""Features of a GenICam camera, set with messages that name value, unit and allowed range."""

import difflib
import logging
from typing import Any

from stripscan.contract.errors import ConfigError
from stripscan.runtime.sources.aravis import glib_error, load_aravis, mapped_errors
from stripscan.runtime.station_genicam import ENCODER, FREE, FeatureValue, GenicamSource

logger = logging.getLogger(__name__)

_EXPOSURE = ("ExposureTime", "ExposureTimeAbs")
_LINE_RATE_ENABLE = "AcquisitionLineRateEnable"
_LINE_RATE = ("AcquisitionLineRate", "AcquisitionLineRateAbs")


class CameraFeatures:
    """The features of one camera.

    Args:
        camera: An ``Arv.Camera`` that is under control.
        name: The camera as the user named it.
    """

    def __init__(self, camera: Any, *, name: str) -> None:
        self._aravis = load_aravis()
        self._camera = camera
        self._device = camera.get_device()
        self._name = name

    def has(self, feature: str) -> bool:
        """Return whether the camera has a feature, and can be asked for it now."""
        with mapped_errors(self._name):
            return bool(self._device.is_feature_available(feature))

    def choices(self, feature: str) -> tuple[str, ...]:
        """Return what an enumeration may hold now; nothing where the camera does not have it."""
        if not self.has(feature):
            return ()
        with mapped_errors(self._name):
            return tuple(self._camera.dup_available_enumerations_as_strings(feature))

    def set(self, feature: str, value: FeatureValue, *, key: str) -> None:
        """Set a feature.

        Args:
            feature: Its name, as the camera spells it.
            value: What it shall hold; a command takes ``true``.
            key: The key of the station file, for messages.

        Raises:
            ConfigError: The camera has no such feature, it cannot be set now, or the value does
                not suit it.
            CameraError: The camera refused it, or is gone.
        """
        node = self._device.get_feature(feature)
        if node is None or not node.is_implemented():
            raise self._wrong(key, value, f"has no feature {feature}{self._nearest(feature)}")
        with mapped_errors(self._name):
            if not node.is_available() or node.is_locked():
                raise self._wrong(key, value, f"does not let {feature} be set in this state")
            self._write(node, feature, value, key)
        logger.debug("camera feature", extra={"feature": feature, "value": value})

    def set_first_of(self, features: tuple[str, ...], value: FeatureValue, *, key: str) -> None:
        """Set the first of several names of the same feature that the camera knows."""
        for feature in features:
            if self.has(feature):
                self.set(feature, value, key=key)
                return
        said = f"has no feature {' or '.join(features)}; set its own below [source.features]"
        raise self._wrong(key, value, said)

    def _write(self, node: Any, feature: str, value: FeatureValue, key: str) -> None:
        arv, camera = self._aravis, self._camera
        if isinstance(node, arv.GcCommand):
            self._check(value is True, feature, value, key, "true, which runs it")
            camera.execute_command(feature)
        elif isinstance(node, arv.GcBoolean):
            self._check(isinstance(value, bool), feature, value, key, "true or false")
            camera.set_boolean(feature, value)
        elif isinstance(node, arv.GcEnumeration):
            choices = self.choices(feature)
            self._check(value in choices, feature, value, key, f"one of {', '.join(choices)}")
            camera.set_string(feature, value)
        elif isinstance(node, arv.GcFloat | arv.GcInteger):
            self._write_number(node, feature, value, key)
        else:
            self._check(isinstance(value, str), feature, value, key, "text")
            camera.set_string(feature, value)

    def _write_number(self, node: Any, feature: str, value: FeatureValue, key: str) -> None:
        whole = not isinstance(node, self._aravis.GcFloat)
        kinds = (int,) if whole else (int, float)
        number = isinstance(value, kinds) and not isinstance(value, bool)
        low, high = self._bounds(feature, whole=whole)
        unit = node.get_unit()
        kind = "a whole number" if whole else "a number"
        allowed = f"{kind} from {low:.10g} to {high:.10g}" + (f" {unit}" if unit else "")
        fits = number and low <= float(value) <= high
        self._check(fits, feature, value, key, allowed)
        if whole:
            self._camera.set_integer(feature, value)
        else:
            self._camera.set_float(feature, float(value))

    def _bounds(self, feature: str, *, whole: bool) -> tuple[float, float]:
        """Return the range of a number; without end where the camera does not tell one."""
        ask = self._camera.get_integer_bounds if whole else self._camera.get_float_bounds
        try:
            bounds = ask(feature)
        except glib_error():
            return float("-inf"), float("inf")
        return bounds.min, bounds.max

    def _check(self, fits: bool, feature: str, value: FeatureValue, key: str, allowed: str) -> None:
        if not fits:
            raise self._wrong(key, value, f"takes for {feature} {allowed}")

    def _wrong(self, key: str, value: FeatureValue, said: str) -> ConfigError:
        shown = str(value).lower() if isinstance(value, bool) else repr(value)
        return ConfigError(f"{key} = {shown}: camera {self._name} {said}")

    def _nearest(self, feature: str) -> str:
        """Return a hint at a feature of a like name."""
        known = sorted(_names_below(self._device, "Root"))
        match = difflib.get_close_matches(feature, known, n=1)
        return f"; did you mean {match[0]}?" if match else ""


def _names_below(device: Any, category: str) -> set[str]:
    """Return the names of all features in a category and in those below it."""
    node = device.get_feature(category)
    if not hasattr(node, "get_features"):
        return {category}
    return {name for child in node.get_features() for name in _names_below(device, child)}


def configure(features: CameraFeatures, source: GenicamSource) -> None:
    """Set what a station file asks for; the other features of the camera stay as they are.

    Raises:
        ConfigError: The camera cannot do it.
        CameraError: The camera refused it, or is gone.
    """
    features.set("PixelFormat", source.pixel_format, key="source.pixel_format")
    for name, value in source.features.items():
        features.set(name, value, key=f"source.features.{name}")
    features.set("Height", source.block_lines, key="source.block_lines")
    _set_trigger(features, source.trigger)
    if source.encoder_divider is not None:
        features.set("EncoderDivider", source.encoder_divider, key="source.encoder_divider")
    if source.exposure_us is not None:
        features.set_first_of(_EXPOSURE, source.exposure_us, key="source.exposure_us")
    if source.line_rate_hz is not None:
        if features.has(_LINE_RATE_ENABLE):
            features.set(_LINE_RATE_ENABLE, True, key="source.line_rate_hz")
        features.set_first_of(_LINE_RATE, source.line_rate_hz, key="source.line_rate_hz")


def _set_trigger(features: CameraFeatures, trigger: str) -> None:
    """Let each line be taken by the camera's clock, or by a pulse of the encoder."""
    key = "source.trigger"
    selectors = features.choices("TriggerSelector")
    for selector in selectors:
        features.set("TriggerSelector", selector, key=key)
        features.set("TriggerMode", "Off", key=key)
    if trigger == FREE:
        return
    source = _encoder_of(features) if trigger == ENCODER else trigger
    if selectors:
        best = next((s for s in ("LineStart", "FrameStart") if s in selectors), selectors[0])
        features.set("TriggerSelector", best, key=key)
    features.set("TriggerSource", source, key=key)
    features.set("TriggerMode", "On", key=key)


def _encoder_of(features: CameraFeatures) -> str:
    """Return the trigger source that stands for the camera's encoder inputs."""
    sources = features.choices("TriggerSource")
    found = next((source for source in sources if "encoder" in source.lower()), None)
    if found is None:
        raise ConfigError(
            f'source.trigger = "{ENCODER}": the camera has no trigger source with an encoder; '
            f"name one of {', '.join(sources) or 'those in its manual'}"
        )
    return found
