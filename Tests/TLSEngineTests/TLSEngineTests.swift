// TLSEngineTests
