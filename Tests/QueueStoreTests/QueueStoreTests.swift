// QueueStoreTests
