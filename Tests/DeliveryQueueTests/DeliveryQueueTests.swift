// DeliveryQueueTests
