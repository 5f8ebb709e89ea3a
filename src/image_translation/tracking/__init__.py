"""What goes to MLflow. The only room, besides the hooks, that knows it."""
