"""What the stages share. One file per concern, so that an edit reruns only the stages it touches."""
