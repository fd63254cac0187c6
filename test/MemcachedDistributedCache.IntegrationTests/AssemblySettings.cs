// One test at a time: they own servers and fill the machine.
[assembly: CollectionBehavior(DisableTestParallelization = true)]
