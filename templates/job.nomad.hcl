# The Nomad job that executes the runs of a sweep. fanout registers it once and
# dispatches it for every shard. Your changes are kept, except for what fanout
# must decide: id, name, parameters, the worker's arguments, and that nothing is
# restarted, rescheduled or replaced behind its back.
job "fanout" {
  type = "batch"

  parameterized {
    payload = "required"
  }

  group "shard" {
    task "worker" {
      # Runs as the agent's user, with the agent's environment.
      driver = "raw_exec"

      config {
        command = "fanout"
      }

      # Time to interrupt the notebooks and record how far they came.
      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      logs {
        max_files     = 2
        max_file_size = 5
      }
    }
  }
}
