using System.Globalization;
using System.Runtime.InteropServices;

namespace MemcachedDistributedCache.Testing;

/// <summary>
/// One item of memcached as the client shows it, and what each call makes of it. A CAS that was told for a state is good until the next
/// change; a touch is none. A state whose CAS nobody was told has the CAS 0, which no call can name.
/// </summary>
/// <param name="Value">The text; null for no item.</param>
/// <param name="Cas">The CAS that was told for the state, or 0.</param>
/// <param name="Until">The second at which the item goes.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct ItemModel(string? Value, ulong Cas = 0, long Until = long.MaxValue)
{
    /// <summary>What a call makes of the item, or null where the answer cannot be.</summary>
    /// <param name="call">The call.</param>
    /// <param name="answer">Its answer; an unknown outcome stands for a change that took place.</param>
    /// <param name="now">The second of the server's clock.</param>
    /// <param name="mayVanish">
    /// True under faults. Then that nothing was found says nothing of what is there: servers lose items, and the client hides those that it
    /// is not sure of. A CAS may be refused without need, for the connection that told it may have ended.
    /// </param>
    public ItemModel? After(ModelCall call, ModelAnswer answer, long now = 0, bool mayVanish = false)
    {
        ItemModel item = Until <= now ? default : this;
        return answer.Outcome switch
        {
            MemcachedOutcome.Success => item.AfterSuccess(call, answer, now, mayVanish),
            MemcachedOutcome.Unknown => item.AfterUnknown(call, now),

            // A delete that found nothing promises as much as one that found something: the key is not read again.
            MemcachedOutcome.NotFound when call.Verb == ModelVerb.Delete => item.Value is null || mayVanish ? default(ItemModel) : null,
            MemcachedOutcome.NotFound => Fits(
                (item.Value is null || mayVanish) && call.Initial is null && call.Verb is not (ModelVerb.Set or ModelVerb.Add)),
            MemcachedOutcome.NotStored => call.Verb switch
            {
                ModelVerb.Add => Fits(item.Value is not null || mayVanish),
                ModelVerb.Replace or ModelVerb.Append or ModelVerb.Prepend => Fits(item.Value is null || mayVanish),
                _ => null,
            },
            MemcachedOutcome.Conflict => Fits(
                call.Verb is ModelVerb.CompareAndSet or ModelVerb.CompareAndDelete
                    && (mayVanish || (item.Value is not null && !item.IsIn(call)))),
            MemcachedOutcome.Rejected => Fits(
                call.Verb is ModelVerb.Increment or ModelVerb.Decrement && item.Value is { } value && !TryNumber(value, out _)),
            MemcachedOutcome.Unavailable => Fits(mayVanish),
            _ => null,
        };

        ItemModel? Fits(bool fits) => fits ? item : null;
    }

    private ItemModel? AfterSuccess(ModelCall call, ModelAnswer answer, long now, bool mayVanish)
    {
        switch (call.Verb)
        {
            case ModelVerb.Get:
                return Same(Value, answer.Value) ? this : null;
            case ModelVerb.GetAndTouch:
                return Same(Value, answer.Value) ? this with { Until = now + call.TimeToLive } : null;
            case ModelVerb.GetItem:
                return Same(Value, answer.Value) && (Cas == 0 || Cas == answer.Cas) ? this with { Cas = answer.Cas } : null;
            case ModelVerb.Touch:
                return Value is not null && (Cas == 0 || answer.Cas == 0 || Cas == answer.Cas)
                    ? this with { Cas = answer.Cas == 0 ? Cas : answer.Cas, Until = now + call.TimeToLive }
                    : null;
            case ModelVerb.Add when Value is not null && !mayVanish:
                return null;
            case ModelVerb.Increment or ModelVerb.Decrement:
                ulong? number = Value is null || (mayVanish && call.Initial == answer.Number) ? call.Initial : Counted(call);
                return number == answer.Number ? Number(call, answer.Number, now) : null;
            case ModelVerb.Delete:
                return Value is not null || mayVanish ? default(ItemModel) : null;
            default:
                return AfterUnknown(call, now) is { } made ? made with { Cas = answer.Cas } : null;
        }
    }

    /// <summary>A change that took place, though nobody was told; null where it cannot have.</summary>
    private ItemModel? AfterUnknown(ModelCall call, long now) => call.Verb switch
    {
        ModelVerb.Get or ModelVerb.GetItem => this,
        ModelVerb.GetAndTouch or ModelVerb.Touch => this with { Until = now + call.TimeToLive },
        ModelVerb.Set or ModelVerb.Add => new ItemModel(call.Value, 0, now + call.TimeToLive),
        ModelVerb.Replace => Value is null ? null : new ItemModel(call.Value, 0, now + call.TimeToLive),
        ModelVerb.Append => Value is null ? null : new ItemModel(Value + call.Value, 0, Until),
        ModelVerb.Prepend => Value is null ? null : new ItemModel(call.Value + Value, 0, Until),
        ModelVerb.CompareAndSet => IsIn(call) ? new ItemModel(call.Value, 0, now + call.TimeToLive) : null,
        ModelVerb.Delete => default(ItemModel),
        ModelVerb.CompareAndDelete => IsIn(call) ? default(ItemModel) : null,
        _ => (Value is null ? call.Initial : Counted(call)) is { } number ? Number(call, number, now) : null,
    };

    private static bool TryNumber(string value, out ulong number)
        => ulong.TryParse(value.AsSpan().TrimEnd(' '), NumberStyles.None, CultureInfo.InvariantCulture, out number);

    /// <summary>memcached keeps the length of a number that gets shorter, with spaces behind it.</summary>
    private static bool Same(string? value, string? read) => value is not null && value == read?.TrimEnd(' ');

    private bool IsIn(ModelCall call) => Value is not null && Cas != 0 && call.Cas.IsKnown && Cas == call.Cas.Number;

    private ulong? Counted(ModelCall call)
    {
        if (!TryNumber(Value!, out ulong number))
        {
            return null;
        }

        return call.Verb == ModelVerb.Increment ? unchecked(number + call.Delta) : number - ulong.Min(number, call.Delta);
    }

    private ItemModel Number(ModelCall call, ulong number, long now)
        => new(number.ToString(CultureInfo.InvariantCulture), 0, Value is null ? now + call.TimeToLive : Until);
}
