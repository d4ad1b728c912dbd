"""Speed and memory of spikelab beside other frameworks. README.md says how to run it and what is measured."""
