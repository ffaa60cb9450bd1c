// relayd
