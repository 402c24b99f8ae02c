"""Published perception models at toy size: the real classes of transformers with random weights."""

import torch
from transformers import Sam2HieraDetConfig, Sam2VideoConfig, Sam2VideoModel, Sam2VisionConfig

SIZE = 128


def toy_sam(seed: int = 0) -> Sam2VideoModel:
    """SAM 2.1 with a Hiera of five blocks, for pictures of 128x128."""
    hiera = Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, blocks_per_stage=[1, 2, 1, 1], embed_dim_per_stage=[8, 16, 32, 64],
        num_attention_heads_per_stage=[1] * 4, window_size_per_stage=[4] * 4, global_attention_blocks=[2],
        image_size=[SIZE, SIZE])
    vision = Sam2VisionConfig(
        backbone_config=hiera.to_dict(), backbone_channel_list=[64, 32, 16, 8], fpn_hidden_size=128,
        backbone_feature_sizes=[[32, 32], [16, 16], [8, 8]])
    config = Sam2VideoConfig(
        vision_config=vision.to_dict(), image_size=SIZE,
        prompt_encoder_config={'hidden_size': 128, 'image_size': SIZE, 'patch_size': 16, 'mask_input_channels': 4},
        mask_decoder_config={'hidden_size': 128, 'mlp_dim': 32, 'num_attention_heads': 2, 'iou_head_hidden_dim': 32},
        memory_attention_hidden_size=128, memory_attention_num_layers=1, memory_attention_feed_forward_hidden_size=32,
        memory_attention_rope_feat_sizes=[8, 8], memory_encoder_hidden_size=128, memory_encoder_output_channels=64,
        mask_downsampler_embed_dim=128, memory_fuser_embed_dim=128, memory_fuser_intermediate_dim=32,
        memory_fuser_num_layers=1)
    torch.manual_seed(seed)
    return Sam2VideoModel(config).eval()
