"""What every layer of stripscan shares: names, records, coordinates and the bundle."""
