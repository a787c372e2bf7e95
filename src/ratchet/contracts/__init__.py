"""What the stages share: frames, workloads, releases, evidence, ports and errors. Imports nothing of Ratchet's."""
