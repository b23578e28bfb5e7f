"""The libraries that run the towers: torch, or OpenVINO after a conversion that is proven first."""
