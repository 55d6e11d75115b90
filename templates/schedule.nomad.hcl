# The Nomad job that extends a sweep on a schedule. fanout registers it once;
# each firing is one `fanout run --on nomad`, which dispatches the runs as jobs
# of their own. Your changes are kept, except for what fanout must decide: id,
# name, when it fires, the task's arguments, and that nothing is restarted,
# rescheduled or replaced behind its back.
job "fanout-schedule" {
  type = "batch"

  group "schedule" {
    task "fanout" {
      # Runs as the agent's user, with the agent's environment.
      driver = "raw_exec"

      config {
        command = "fanout"
      }

      # It waits for the cluster, then collects tables and writes the summary.
      resources {
        cpu    = 100
        memory = 1024
      }

      # Time to stop the runs that are executing.
      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      logs {
        max_files     = 2
        max_file_size = 5
      }
    }
  }
}
