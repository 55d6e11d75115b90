package kernel

// Token marks everything this process starts.
func Token() string { return token }

// DecodeSpec reads a kernel.json of the directory /k.
func DecodeSpec(b []byte) (Spec, error) {
	return decodeSpec(b, "/k", environment{"/p", "/p/bin/python"})
}
