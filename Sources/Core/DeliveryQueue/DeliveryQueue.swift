// DeliveryQueue
