"""The critic measured on planted defects and on good pictures.

    python -m bench.critic                  # everything: pictures, figures, plots, docs/critic.md; goes on where it stopped
    python -m bench.critic --good 60 --each 8 --no-docs

The panel is the one that the studio wires for the embedded models, without a vision model, on one core. What every fault is,
and what its severities mean, stands in `zirelia.pocket.defects`.
"""
