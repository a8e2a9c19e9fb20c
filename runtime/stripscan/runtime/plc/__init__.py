"""How a PLC sees the station, over Modbus TCP."""
