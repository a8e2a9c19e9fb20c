"""The Modbus TCP server of a station, in a thread of its own."""

import asyncio
import logging
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Final, Self, cast

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from stripscan.contract.errors import ConfigError
from stripscan.runtime.plc.registers import COILS, DISCRETE_INPUTS, REGISTERS, RegisterMap
from stripscan.runtime.station_control import Address

logger = logging.getLogger(__name__)

_ANY_UNIT: Final = 0
_READ_COILS: Final = 1
_READ_INPUTS: Final = 2
_WRITE_COILS: Final = frozenset({5, 15})
_START_S: Final = 10.0


class PlcServer:
    """Answers a PLC while its ``with`` block runs: each answer shows the moment it is given.

    Registers are the same as input and as holding registers. Every unit id is answered.

    Args:
        address: Where it listens.
        shown: What is read and written.

    Raises:
        ConfigError: It cannot listen there.
    """

    def __init__(self, address: Address, shown: RegisterMap) -> None:
        self._address = address
        self._shown = shown
        self._bound: Future[Address] = Future()
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="modbus", daemon=True)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return self._bound.result(_START_S)

    def __enter__(self) -> Self:
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it logs each stranger's byte
        self._thread.start()
        host, port = self.address
        logger.info("listening", extra={"modbus": f"{host}:{port}"})
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            self._loop.set_exception_handler(_broken_connection)
            try:
                runner.run(self._serve())
            except Exception as error:
                if not self._bound.done():
                    self._bound.set_exception(error)
                else:
                    logger.exception("the Modbus server ended")

    async def _serve(self) -> None:
        host, port = self._address
        server = ModbusTcpServer(self._device(), address=(host, port))
        if not await server.listen():
            raise ConfigError(
                f"cannot listen on {self._address.host}:{self._address.port}: choose another "
                "address in [modbus]; ports below 1024 need the capability CAP_NET_BIND_SERVICE"
            )
        try:
            listening = cast(asyncio.Server, server.transport)
            host, port = listening.sockets[0].getsockname()[:2]
            self._bound.set_result(Address(host, port))
            await self._end.wait()
        finally:
            await server.shutdown()  # type: ignore[no-untyped-call]

    def _device(self) -> SimDevice:
        def bits(count: int) -> list[SimData]:
            return [SimData(0, values=[False] * count, datatype=DataType.BITS)]

        def registers() -> list[SimData]:
            return [SimData(0, count=REGISTERS, datatype=DataType.REGISTERS, readonly=True)]

        return SimDevice(
            id=_ANY_UNIT,
            simdata=(bits(COILS), bits(DISCRETE_INPUTS), registers(), registers()),
            action=self._act,
        )

    async def _act(
        self,
        function: int,
        _start: int,
        address: int,
        _count: int,
        memory: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Show the moment in pymodbus' memory before it is read, and take what is written."""
        if function in _WRITE_COILS:
            allowed = self._shown.write_coils(address, map(bool, written or ()))
            return None if allowed else ExcCodes.ILLEGAL_ADDRESS
        if function == _READ_COILS:
            memory[:] = _words(self._shown.coils())
        elif function == _READ_INPUTS:
            memory[:] = _words(self._shown.discrete_inputs())
        else:
            memory[:] = self._shown.registers()
        return None


def _words(bits: list[bool]) -> list[int]:
    """Return bits as words, the first as the lowest."""
    return [
        sum(int(bit) << place for place, bit in enumerate(bits[first : first + 16]))
        for first in range(0, len(bits), 16)
    ]


def _broken_connection(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    logger.debug("a Modbus connection broke off", extra={"why": str(context.get("message"))})
