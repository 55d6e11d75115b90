package sweep

import "time"

// The clocks that the worker of a shard and whoever watches over it share.
const (
	BeatEvery   = time.Second     // between beats while the worker has news
	QuietEvery  = 5 * time.Second // between beats while it has none
	RecallEvery = 5 * time.Second // the worker looks for a recall at least this often
	LostAfter   = 2 * time.Minute // silence after which a worker on a node that is away is lost, unless the user says otherwise
)
