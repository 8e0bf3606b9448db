"""The JSON documents that the API takes and gives, one module per topic. Field names are a contract with programs."""
