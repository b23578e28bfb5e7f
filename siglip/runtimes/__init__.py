"""What runs the towers: torch, or OpenVINO after a conversion that is proven first."""
