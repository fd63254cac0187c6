using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using MemcachedDistributedCache.Micro;

if (args is ["hybrid"])
{
    await HybridCosts.RunAsync();
    return;
}

// In this process: nothing is generated, restored and built for each benchmark, and internals stay visible to one assembly.
IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance));
BenchmarkSwitcher.FromAssembly(typeof(Program).Assembly).Run(args, config);
