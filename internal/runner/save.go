package runner

import "time"

// A saver saves the document while it changes, at the interval every, or less often
// if saving would take more than an eighth of the time.
type saver struct {
	every time.Duration
	write func() // takes the document's lock itself; a failure shows when the run ends

	dirty chan struct{} // holds a token when something changed
	stop  chan struct{}
	done  chan struct{}
}

const (
	defaultSaveEvery = 2 * time.Second
	saveShare        = 8
	slowestSave      = time.Minute
	burst            = 250 * time.Millisecond // what changes together is saved together
)

func startSaver(every time.Duration, write func()) *saver {
	if every <= 0 {
		every = defaultSaveEvery
	}
	s := &saver{every: every, write: write, dirty: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go s.loop()
	return s
}

// touch notes that the document has changed. It never waits.
func (s *saver) touch() {
	select {
	case s.dirty <- struct{}{}:
	default:
	}
}

func (s *saver) loop() {
	defer close(s.done)
	pause := s.every
	for {
		if wait(s.stop, pause-burst) {
			return
		}
		select {
		case <-s.dirty:
		case <-s.stop:
			return
		}
		if wait(s.stop, burst) {
			return
		}
		began := time.Now()
		s.write()
		pause = max(s.every, min(saveShare*time.Since(began), slowestSave))
	}
}

// close ends the saving.
func (s *saver) close() {
	close(s.stop)
	<-s.done
}
