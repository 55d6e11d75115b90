package kernel

// Token marks everything this process starts.
func Token() string { return token }
