package simulator

// Fork is a site of its own that starts with this one's documents, users and OAuth
// clients, and with the tokens, codes and sessions given out so far: what is written to one
// does not show in the other. It costs next to nothing, because documents are never
// changed in place. Faults, the call log, and the webhooks that wait
// to be delivered stay behind.
func (s *Server) Fork() *Server {
	f := &Server{
		collation: s.collation, zone: s.zone, now: s.now, logger: s.logger, versions: s.versions,
		methods: methods(), tokenLife: s.tokenLife, loginHints: s.loginHints, pages: s.pages,
		sessions: s.sessions.clone(), secrets: s.secrets.clone(),
		filesDir: s.filesDir, maxFileSize: s.maxFileSize, deliveries: newDeliveries(),
	}
	s.write.Lock()
	defer s.write.Unlock()
	f.data.Store(s.data.Load())
	f.names.Store(s.names.Load())
	s.stampMu.Lock()
	f.lastStamp = s.lastStamp
	s.stampMu.Unlock()
	return f
}
