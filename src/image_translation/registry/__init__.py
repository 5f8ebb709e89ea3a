"""The model registry: promotion, rollback and the champion."""
