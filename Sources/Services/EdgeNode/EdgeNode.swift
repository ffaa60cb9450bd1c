// EdgeNode
