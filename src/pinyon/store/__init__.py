"""Events, blobs and refs behind one protocol, and the store on a local disk."""
