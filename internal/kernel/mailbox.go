package kernel

import "sync"

// A mailbox is an unbounded queue of messages with one taker. It has no bound
// because a kernel drops output, silently, once its own queue of a thousand
// messages is full: the reader of the socket must never wait.
type mailbox struct {
	mu    sync.Mutex
	items []Message
	head  int
	open  int           // readers still delivering
	more  chan struct{} // holds a token when there may be something to take
	ended chan struct{} // closed when the last reader has left

	answers chan Message  // to our own requests while the kernel starts
	output  chan struct{} // holds a token once some has arrived
}

func newMailbox(readers int) *mailbox {
	return &mailbox{open: readers, more: make(chan struct{}, 1), ended: make(chan struct{}),
		answers: make(chan Message, 8), output: make(chan struct{}, 1)}
}

// live notes that output arrives.
func (b *mailbox) live() {
	select {
	case b.output <- struct{}{}:
	default:
	}
}

// answered keeps a reply to one of our own requests; once the kernel has started
// nothing takes them.
func (b *mailbox) answered(m Message) {
	select {
	case b.answers <- m:
	default:
	}
}

func (b *mailbox) put(m Message) {
	b.mu.Lock()
	b.items = append(b.items, m)
	b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
}

// take returns the oldest message, if there is one.
func (b *mailbox) take() (Message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.head == len(b.items) {
		return Message{}, false
	}
	m := b.items[b.head]
	b.items[b.head] = Message{} // let the bytes go
	b.head++
	switch {
	case b.head == len(b.items):
		b.items, b.head = b.items[:0], 0
		if cap(b.items) > 4096 {
			b.items = nil
		}
	case b.head > 4096 && 2*b.head > len(b.items):
		n := copy(b.items, b.items[b.head:])
		clear(b.items[n:])
		b.items, b.head = b.items[:n], 0
	}
	return m, true
}

// leave records that one reader will deliver no more.
func (b *mailbox) leave() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if b.open == 0 {
		close(b.ended)
	}
}
