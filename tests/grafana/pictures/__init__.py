"""Pictures of the dashboards, for whoever reads about them; drawn by `make pictures`."""
