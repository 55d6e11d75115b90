# The Nomad job that makes a sweep grow on a schedule. fanout registers it once;
# each firing is one `fanout run --on nomad`, which dispatches the runs
# themselves as jobs of their own. Whatever you change here stays, but for what
# fanout must decide: id, name, when it fires, the task's arguments, and that
# nothing is restarted, rescheduled or replaced behind its back.
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

      # Time to stop the runs that are under way.
      kill_signal  = "SIGTERM"
      kill_timeout = "30s"

      logs {
        max_files     = 2
        max_file_size = 5
      }
    }
  }
}
